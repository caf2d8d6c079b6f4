package driver_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"multiproc/mp"
	"multiproc/mp/driver"
)

// Shelf is a place that has dicts and values on a Go map, and nothing else: what
// every driver begins with. A value is what a dict has under one key. The objects
// have no names and stay in the process, so each of them is its only handle.
type Shelf struct{}

func (*Shelf) String() string { return "shelf" }

func (p *Shelf) Open(ctx context.Context, spec driver.Spec) (driver.Object, error) {
	m := &shelfDict{place: p, kind: spec.Kind, entries: map[string]*entry{}}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case spec.Kind == driver.KindDict && spec.Name == "":
		return m, nil
	case spec.Kind == driver.KindValue && spec.Name == "":
		return shelfValue{m}, m.Set(ctx, theValue, spec.Init)
	}
	return nil, fmt.Errorf("%v: a %s of name %q: %w", p, spec.Kind, spec.Name, errors.ErrUnsupported)
}

func (p *Shelf) Extract(context.Context, []byte) (driver.Object, error) {
	return nil, fmt.Errorf("%v: references: %w", p, errors.ErrUnsupported)
}

type entry struct {
	key    []byte // as it was given first
	number uint64 // in the order of insertion
	driver.Versioned
}

// shelfDict implements driver.Dict.
type shelfDict struct {
	place *Shelf
	kind  driver.Kind

	mu      sync.Mutex
	closed  bool
	last    uint64            // the last version, or number of an entry
	entries map[string]*entry // by driver.Key
}

func (m *shelfDict) String() string      { return fmt.Sprintf("%s %p", m.kind, m) }
func (m *shelfDict) Place() driver.Place { return m.place }

func (m *shelfDict) Reference(context.Context) (string, []byte, error) {
	return "", nil, fmt.Errorf("%v: references: %w", m, errors.ErrUnsupported)
}

func (m *shelfDict) Embed(driver.Place) ([]byte, error) {
	return nil, fmt.Errorf("%v: references: %w", m, errors.ErrUnsupported)
}

func (m *shelfDict) Close() error {
	return m.do(context.Background(), func() { m.closed = true })
}

// do calls f with the lock held; at with the entry of a key, nil if there is none.
func (m *shelfDict) do(ctx context.Context, f func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case m.closed:
		return fmt.Errorf("%v: %w", m, mp.ErrClosed)
	}
	f()
	return nil
}

func (m *shelfDict) at(ctx context.Context, key []byte, f func(k string, e *entry)) error {
	k, err := driver.Key(key)
	if err != nil {
		return fmt.Errorf("%v: %w", m, err)
	}
	return m.do(ctx, func() { f(k, m.entries[k]) })
}

func (m *shelfDict) put(k string, e *entry, key, v []byte) {
	if m.last++; e == nil {
		e = &entry{key: key, number: m.last}
		m.entries[k] = e
	}
	e.Versioned = driver.Versioned{Value: v, Version: m.last}
}

func (m *shelfDict) Get(ctx context.Context, key []byte) (v driver.Versioned, err error) {
	err = m.at(ctx, key, func(_ string, e *entry) {
		if e != nil {
			v = e.Versioned
		}
	})
	if err == nil && v.Version == 0 {
		err = fmt.Errorf("%v: %w", m, mp.ErrNoKey)
	}
	return v, err
}

func (m *shelfDict) Set(ctx context.Context, key, v []byte) error {
	return m.at(ctx, key, func(k string, e *entry) { m.put(k, e, key, v) })
}

func (m *shelfDict) SetVersion(ctx context.Context, key, v []byte, version uint64) (ok bool, err error) {
	err = m.at(ctx, key, func(k string, e *entry) {
		if ok = e == nil && version == 0 || e != nil && e.Version == version; !ok {
			return
		}
		if v == nil {
			delete(m.entries, k)
		} else {
			m.put(k, e, key, v)
		}
	})
	return ok, err
}

func (m *shelfDict) Delete(ctx context.Context, key []byte) (ok bool, err error) {
	err = m.at(ctx, key, func(k string, e *entry) {
		ok = e != nil
		delete(m.entries, k)
	})
	return ok, err
}

func (m *shelfDict) Len(ctx context.Context) (n int, err error) {
	err = m.do(ctx, func() { n = len(m.entries) })
	return n, err
}

func (m *shelfDict) Page(ctx context.Context, cursor uint64, limit int) (keys, vs [][]byte, next uint64, err error) {
	err = m.do(ctx, func() {
		var page []*entry
		for _, e := range m.entries {
			if e.number > cursor {
				page = append(page, e)
			}
		}
		slices.SortFunc(page, func(a, b *entry) int { return cmp.Compare(a.number, b.number) })
		if limit > 0 && len(page) > limit {
			page = page[:limit]
			next = page[limit-1].number
		}
		for _, e := range page {
			keys, vs = append(keys, e.key), append(vs, e.Value)
		}
	})
	return keys, vs, next, err
}

// shelfValue implements driver.Value.
type shelfValue struct{ m *shelfDict }

var theValue = []byte{0} // a key, the integer 0

func (v shelfValue) String() string                          { return v.m.String() }
func (v shelfValue) Place() driver.Place                     { return v.m.place }
func (v shelfValue) Close() error                            { return v.m.Close() }
func (v shelfValue) Embed(into driver.Place) ([]byte, error) { return v.m.Embed(into) }

func (v shelfValue) Reference(ctx context.Context) (string, []byte, error) { return v.m.Reference(ctx) }

func (v shelfValue) Get(ctx context.Context) (driver.Versioned, error) { return v.m.Get(ctx, theValue) }

func (v shelfValue) Set(ctx context.Context, x []byte) error { return v.m.Set(ctx, theValue, x) }

func (v shelfValue) SetVersion(ctx context.Context, x []byte, version uint64) (bool, error) {
	return v.m.SetVersion(ctx, theValue, x, version)
}

// A driver for a place that has two kinds of objects. Add is built from Get and
// SetVersion; Watch and lists are not there, and say so.
func Example() {
	ctx := context.Background()
	stock, err := mp.NewDict[string, int](mp.In(&Shelf{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stock.Close()
	fmt.Println(stock.Add(ctx, "apples", 3))
	for _, err := range stock.Watch(ctx) {
		fmt.Println("watch:", errors.Is(err, errors.ErrUnsupported))
	}
	_, err = mp.NewList[int](mp.In(&Shelf{}))
	fmt.Println(err)
	// Output:
	// 3 <nil>
	// watch: true
	// new list in shelf: shelf: a list of name "": unsupported operation
}
