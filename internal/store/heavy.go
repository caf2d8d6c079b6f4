package store

import (
	"context"
	"runtime"
)

// heavy are the places for work that computes for long: one less than there are
// processors. So one processor at least is left for calls that take a moment,
// and for the network, whatever clients ask for.
type heavy chan struct{}

func newHeavy() heavy { return make(heavy, max(runtime.GOMAXPROCS(0)-1, 1)) }

// Heavy waits for a place for long work, or for ctx. The caller gives it back.
// No object's mutex is held, for work that has a place may want that.
func (s *Store) Heavy(ctx context.Context) (giveBack func(), err error) {
	select {
	case s.heavy <- struct{}{}:
		return func() { <-s.heavy }, nil
	default:
	}
	select {
	case s.heavy <- struct{}{}:
		return func() { <-s.heavy }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Long carries out f, which computes for long, on a goroutine of its own: the
// client can cancel it meanwhile, and its other calls go on. f answers.
func (c *Call) Long(f func()) {
	s := c.Store()
	c.Go(func(ctx context.Context) {
		giveBack, err := s.Heavy(ctx)
		if err != nil {
			c.Fail(context.Cause(ctx))
			return
		}
		defer giveBack()
		c.long = ctx
		if !c.entry.refers.Load() {
			f()
			return
		}
		s.withinEpoch(f)
	})
}

// Check is for loops that may take long, every few thousand steps: an error
// says that the client does not want the result any more. It lets others have
// the processor.
func (c *Call) Check() error {
	if c.long == nil {
		return nil
	}
	runtime.Gosched()
	return c.long.Err()
}

// Much reports whether there is so much in the object with that id that a look
// at all of it takes long.
func (s *Store) Much(id uint64) bool {
	const much = 1 << 12
	e := s.table.get(id)
	if e == nil {
		return false
	}
	n := 0
	if o, ok := e.obj.(Sized); ok && e.broken.Load() == nil {
		s.guard(e, "len", func() { n = o.Length() })
	}
	return n > much
}
