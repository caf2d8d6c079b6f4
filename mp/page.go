package mp

import (
	"context"
	"fmt"

	"multiproc/internal/interchange"
	"multiproc/mp/driver"
)

// page is what an iteration has asked for at once. Its values are decoded as
// the loop comes to them, but for those with handles: others may take them out
// of the place meanwhile, which then forgets their objects. So these are
// decoded at once, and close closes the handles that the loop did not come to.
type page[T any] struct {
	ctx   context.Context
	obj   driver.Object
	t     *interchange.Type[T]
	raw   [][]byte
	early []early[T] // of the first values; nil if they have no handles
}

// early is a value that was decoded before the loop came to it.
type early[T any] struct {
	v   *T
	in  inside // holds its handles until the loop has it
	err error
}

func newPage[T any](ctx context.Context, o driver.Object, t *interchange.Type[T], raw [][]byte) *page[T] {
	p := &page[T]{ctx: ctx, obj: o, t: t, raw: raw}
	if !t.HasHandles() {
		return p
	}
	p.early = make([]early[T], 0, len(raw))
	for _, b := range raw {
		e := early[T]{v: new(T), in: inside{ctx: ctx, place: o.Place()}}
		if e.err = t.Decode(b, e.v, &e.in); e.err != nil {
			e.in.drop()
		}
		p.early = append(p.early, e)
		if e.err != nil {
			break // as the loop does
		}
	}
	return p
}

// at is value i, which is the loop's from now on. After an error there is
// nothing behind it.
func (p *page[T]) at(i int) (T, error) {
	if p.early == nil {
		return decode(p.ctx, p.obj, p.t, p.raw[i])
	}
	e := &p.early[i]
	if e.err != nil {
		return *new(T), fmt.Errorf("%v: %w", p.obj, e.err)
	}
	e.in.got = nil
	return *e.v, nil
}

// close closes the handles that the loop did not come to.
func (p *page[T]) close() {
	for i := range p.early {
		p.early[i].in.drop()
	}
}

// each yields all values of the page, and reports whether the loop goes on.
func (p *page[T]) each(yield func(T, error) bool) bool {
	defer p.close()
	for i := range p.raw {
		v, err := p.at(i)
		if !yield(v, err) || err != nil {
			return false
		}
	}
	return true
}

// eachOfPages asks for pages, one behind the other, and yields their values. An
// error is the last pair.
func eachOfPages[T any](ctx context.Context, o driver.Object, t *interchange.Type[T],
	next func(ctx context.Context, cursor uint64, limit int) ([][]byte, uint64, error), yield func(T, error) bool,
) {
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		var raw [][]byte
		var err error
		if raw, cursor, err = next(ctx, cursor, pageSize); err != nil {
			yield(*new(T), err)
			return
		}
		if !newPage(ctx, o, t, raw).each(yield) {
			return
		}
	}
}
