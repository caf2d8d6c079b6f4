package mp

import (
	"context"
	"sync"
)

// Group runs functions that belong together, most of them tasks: the first
// failure ends the rest, and is what Wait returns.
//
//	g, ctx := mp.NewGroup(ctx)
//	for range 4 {
//		g.Go(Square.Call(ctx, j))
//	}
//	… // Put and Get with this ctx end when a worker fails, and say why
//	err := g.Wait()
//
// It is as golang.org/x/sync/errgroup, whose Group works with tasks as well,
// and in every program already. Its methods may be called by several
// goroutines. The zero Group is not usable.
type Group struct {
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	once   sync.Once
	err    error
}

// NewGroup makes a group, and a context for all that belongs to it. That ends
// with the first failure, which is its cause, with ctx, and when Wait returns.
func NewGroup(ctx context.Context) (*Group, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Group{cancel: cancel}, ctx
}

// Go calls f in a goroutine of its own; see Task.Call.
func (g *Group) Go(f func() error) {
	g.wg.Go(func() {
		if err := f(); err != nil {
			g.once.Do(func() {
				g.err = err
				g.cancel(err)
			})
		}
	})
}

// Wait waits for all functions to return, and returns the first error.
func (g *Group) Wait() error {
	g.wg.Wait()
	g.cancel(g.err)
	return g.err
}
