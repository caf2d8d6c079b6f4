package local

import (
	"bytes"
	"context"

	"multiproc/internal/cell"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// search looks for items that equal one, as Python compares. One goroutine may use it.
type search struct {
	item  []byte
	cell  cell.Cell
	v     pyvalue.Value // once known
	known bool
	cmp   pyvalue.Comparer
}

// newSearch is a search that ends with ctx.
func newSearch(ctx context.Context, item []byte) *search {
	return &search{item: item, cell: cell.Of(item), cmp: pyvalue.Comparer{Work: pyvalue.NewWork(pyvalue.MaxWork, ended(ctx))}}
}

// ended is the error of long work once ctx has ended.
func ended(ctx context.Context) func() error {
	return func() error {
		if ctx.Err() != nil {
			return mperr.Ended(ctx)
		}
		return nil
	}
}

// equals reports whether an item is what is looked for.
func (s *search) equals(c cell.Cell) (bool, error) {
	_, number := s.cell.Int()
	switch _, other := c.Int(); {
	case number && other:
		return s.cell.Word == c.Word, nil
	case c.Word == 0 && s.cell.Word == 0 && interchange.OneForm(c.Bytes) && interchange.OneForm(s.item):
		return bytes.Equal(c.Bytes, s.item), nil
	}
	if !s.known {
		v, err := interchange.ParseValue(s.item)
		if err != nil {
			return false, err
		}
		s.v, s.known = v, true
	}
	v, err := valueOf(c)
	if err != nil {
		return false, err
	}
	return s.cmp.Same(v, s.v)
}

// first is where an item first stands that is looked for, or -1.
func (s *search) first(items []cell.Cell) (int, error) {
	for i := range items {
		if same, err := s.equals(items[i]); same || err != nil {
			return i, err
		}
	}
	return -1, nil
}
