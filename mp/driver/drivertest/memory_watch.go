package drivertest

import (
	"context"
	"iter"

	"multiproc/internal/mperr"
)

// watcher is a call of Watch.
type watcher struct {
	changes []any // a driver.Change or driver.ListChange each
	overrun bool
}

// maxChanges is how many changes wait for a watcher.
const maxChanges = 10_000

// emit tells the object's watchers of a change. The lock is held.
func (o *object) emit(change any) {
	for w := range o.watchers {
		if len(w.changes) == maxChanges {
			w.overrun = true
			delete(o.watchers, w)
			continue
		}
		w.changes = append(w.changes, change)
	}
}

// watch subscribes at once.
func watch[C any](ctx context.Context, h *handle) iter.Seq2[C, error] {
	w := &watcher{}
	remove := func() {
		h.session.store.mu.Lock()
		defer h.session.store.mu.Unlock()
		delete(h.o.watchers, w)
	}
	failed := h.do(ctx, func() error { h.o.watchers[w] = struct{}{}; return nil })
	stop := context.AfterFunc(ctx, remove)
	return func(yield func(C, error) bool) {
		defer remove()
		defer stop()
		for {
			var changes []any
			err := failed
			if err == nil {
				err = h.when(ctx, func() (bool, error) {
					changes, w.changes = w.changes, nil
					if len(changes) == 0 && w.overrun {
						return false, mperr.ErrOverrun
					}
					return len(changes) > 0, nil
				})
			}
			for _, c := range changes {
				if !yield(c.(C), nil) {
					return
				}
			}
			if err != nil {
				yield(*new(C), err)
				return
			}
		}
	}
}
