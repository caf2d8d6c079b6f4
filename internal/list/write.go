package list

import (
	"context"
	"fmt"

	"multiproc/internal/arena"
	"multiproc/internal/cell"
	"multiproc/internal/mperr"
	"multiproc/internal/pin"
)

// MaxItem is how many bytes an item has, at most.
const MaxItem = 1 << 31

// fits reports whether the items are not too large.
func fits(vs ...cell.Cell) error {
	for _, v := range vs {
		if n := len(v.Bytes); n > MaxItem {
			return fmt.Errorf("%d bytes are more than %d: %w", n, MaxItem, mperr.ErrTooLarge)
		}
	}
	return nil
}

// Set sets item i if its version is that, and reports whether it did, and whether there
// is such an item.
func (l *List) Set(ctx context.Context, i int, v cell.Cell, version uint64) (ok, there bool, err error) {
	if err := fits(v); err != nil {
		return false, false, err
	}
	c := l.call()
	for {
		if _, err := l.lock.Hold(ctx); err != nil {
			return false, false, err
		}
		if c.begin() {
			there = c.set(i, v, version)
			if c.done {
				c.tidy()
			}
		}
		l.lock.Free().Do()
		if over, err := c.over(); over {
			return c.done, there, err
		}
	}
}

// set is Set, with the lock. The word is stored before the version of the leaf, so that
// nobody reads the new one with the old word.
func (c *call) set(i int, v cell.Cell, version uint64) (there bool) {
	h := &c.h
	body := c.l.load(offBody)
	n := c.length(body)
	at, ok := index(i, n)
	if !ok {
		return false
	}
	p := c.find(body, at, n)
	if h.Lost() || version != Always && version != c.version(body, p, i, n) {
		return true
	}
	h.Again()
	if n := valueBytes + uint64(len(v.Bytes)); v.Word == 0 && !arena.Large(n) && !h.Ensure(n, 1) {
		return true
	}
	old := h.Load(p.slot())
	now := h.Load(offClock) + 1
	h.Put(offClock, now)
	h.Put(p.slot(), c.word(v)) // the moment for readers
	h.Put(p.leaf+leafVersion, now)
	if old != 0 && !cell.IsWord(old) {
		h.Free(old)
	}
	c.done = h.Commit()
	return true
}

// Append puts an item behind the last one.
func (l *List) Append(ctx context.Context, v cell.Cell) error {
	if err := fits(v); err != nil {
		return err
	}
	p := plans.Get().(*plan)
	defer p.free()
	p.one[0] = v
	p.cells = p.one[:]
	c := l.call()
	for {
		if _, err := l.lock.Hold(ctx); err != nil {
			return err
		}
		if c.begin() {
			c.append(p)
			if c.done {
				c.tidy()
			}
		}
		l.lock.Free().Do()
		if over, err := c.over(); over {
			return err
		}
	}
}

// Insert puts an item before item i, or at the end that i is beyond.
func (l *List) Insert(ctx context.Context, i int, v cell.Cell) error {
	return l.Splice(ctx, func(n int) (int, int, error) {
		at := i
		if at < 0 {
			at = max(at+n, 0)
		}
		at = min(at, n)
		return at, at, nil
	}, []cell.Cell{v})
}

// Pop takes item i out; false if there is none.
func (l *List) Pop(ctx context.Context, i int) (v cell.Cell, ok bool, err error) {
	p := plans.Get().(*plan)
	defer p.free()
	err = l.within(ctx, func(c *call) {
		body := l.load(offBody)
		n := c.length(body)
		var at uint64
		if at, ok = index(i, n); !ok {
			return
		}
		v = c.value(c.h.Load(c.find(body, at, n).slot()), nil)
		if c.h.Lost() {
			return
		}
		pin.On()
		if at != n-1 || !c.pop(body, n) {
			p.body, p.length, p.cells = body, n, nil
			c.splice(p, at, at+1)
		}
		if c.done {
			c.tidy()
		}
		pin.Off()
	})
	return v, ok && err == nil, err
}

// Splice puts items in the place of those from i up to j, which span says of the length;
// it may be called more than once, with the lock. Whatever the number, it is one change.
// The error of a span that is not in the list wraps mperr.ErrIndex.
//
// Cost: that of the items, those that go aside, and some 10 µs.
func (l *List) Splice(ctx context.Context, span func(n int) (i, j int, err error), vs []cell.Cell) error {
	var failed error
	err := l.within(ctx, func(c *call) {
		body := l.load(offBody)
		n := c.length(body)
		var i, j int
		if i, j, failed = span(int(n)); failed == nil && !c.h.Lost() {
			failed = c.edit(body, n, Edit{i, j, vs})
		}
	})
	if err != nil {
		return err
	}
	l.settle(ctx)
	return failed
}

// replace is Splice, with the lock.
func (c *call) replace(body, length uint64, i, j int, vs []cell.Cell) {
	if i == j && len(vs) == 0 {
		c.done = true
		return
	}
	p := plans.Get().(*plan)
	defer p.free()
	p.body, p.length, p.cells = body, length, vs
	if !small(vs) {
		c.many(p, uint64(i), uint64(j))
	} else {
		pin.On()
		c.splice(p, uint64(i), uint64(j))
		pin.Off()
	}
	if c.done {
		pin.On()
		c.tidy()
		pin.Off()
	}
}

// small reports whether items are put in by one transaction.
func small(vs []cell.Cell) bool {
	n := 0
	for _, v := range vs {
		n += len(v.Bytes)
	}
	return len(vs) <= few && (n <= pieceBytes || len(vs) == 1)
}

// Edit is a change: items in the place of those from one index up to another.
type Edit struct {
	From, To int
	Items    []cell.Cell
}

// edit makes a change of a list of that length, with the lock.
func (c *call) edit(body, length uint64, e Edit) error {
	if e.From < 0 || e.To < e.From || uint64(e.To) > length {
		return fmt.Errorf("items %d to %d of %d: %w", e.From, e.To, length, mperr.ErrIndex)
	}
	err := fits(e.Items...)
	if err == nil {
		c.replace(body, length, e.From, e.To, e.Items)
	}
	return err
}

// Replace makes a change, if the list is as it was when it was read. Whatever the number of
// items, it is one change.
func (l *List) Replace(ctx context.Context, s Stamp, e Edit) (ok bool, err error) {
	var failed error
	err = l.within(ctx, func(c *call) {
		body := l.load(offBody)
		n := c.length(body)
		ok = s == Stamp{body, l.load(offClock), n}
		if ok && !c.h.Lost() {
			failed = c.edit(body, n, e)
		}
	})
	if err == nil {
		l.settle(ctx)
		err = failed
	}
	return ok && err == nil, err
}

// Rewrite makes the change that f says of all items. f is called without the lock, and
// again if the list has changed meanwhile; after some times it is called with the lock.
func (l *List) Rewrite(ctx context.Context, f func(now []cell.Cell) (Edit, error)) error {
	all := func(n int) Span { return Span{0, 1, n} }
	for range 3 {
		now, s, err := l.Read(ctx, all)
		if err != nil {
			return err
		}
		e, err := f(now)
		if err != nil {
			return err
		}
		if ok, err := l.Replace(ctx, s, e); ok || err != nil {
			return err
		}
	}
	var failed error
	err := l.within(ctx, func(c *call) {
		body := l.load(offBody)
		n := c.length(body)
		now := c.read(body, n, all(int(n)), nil)
		if c.h.Lost() {
			return
		}
		var e Edit
		if e, failed = f(now); failed == nil {
			failed = c.edit(body, n, e)
		}
	})
	if err != nil {
		return err
	}
	l.settle(ctx)
	return failed
}

// Clear takes all items out, and gives all memory back.
func (l *List) Clear(ctx context.Context) error {
	err := l.with(ctx, func(c *call) {
		h := &c.h
		h.Again()
		h.Put(offClock, h.Load(offClock)+1)
		h.Put(offBody, 0) // the moment for readers
		h.Put(offDoomed, 0)
		h.Put(offCursor, 0)
		h.Reset()
		c.done = h.Commit()
	})
	if err == nil {
		l.settle(ctx)
	}
	return err
}

// settle gives back what is doomed, and memory, a piece at a time. What is not done here
// is done by the next who changes something.
func (l *List) settle(ctx context.Context) {
	more := true
	for n := l.load(offTail) / minStep; more && n > 0; n-- { // or it goes round in a circle
		more = l.load(offDoomed) != 0
		err := l.with(ctx, func(c *call) {
			for range reaps {
				if c.h.Lost() || !c.reap() {
					break
				}
			}
			if !c.h.Lost() && c.h.Ample() && c.h.Trim() {
				more = true
			}
		})
		if err != nil {
			return
		}
	}
}

// minStep is how many bytes are given back by a step, at least, more or less.
const minStep = 64
