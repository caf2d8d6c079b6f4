package local

import (
	"context"
	"iter"
	"sync"

	"multiproc/internal/dict"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// Watch implements driver.DictWatcher.
//
// What it has of the dict is given back when ctx ends, the loop or the handle, whatever
// comes first. The handle is not in use while the loop looks at a change.
func (d *dictionary) Watch(ctx context.Context) iter.Seq2[driver.Change, error] {
	w, leave, err := d.watch(ctx)
	return func(yield func(driver.Change, error) bool) {
		defer leave()
		for err == nil {
			var events []dict.Event
			if events, err = d.next(ctx, w); err != nil {
				break
			}
			for i := range events {
				if !yield(changeOf(&events[i]), nil) {
					return
				}
				if err = mperr.Ended(ctx); err != nil {
					break
				}
			}
		}
		yield(driver.Change{}, d.named(err))
	}
}

// watch begins to watch. leave ends it.
func (d *dictionary) watch(ctx context.Context) (w *dict.Watcher, leave func(), err error) {
	none := func() {}
	if err := d.enter(ctx); err != nil {
		return nil, none, err
	}
	defer d.Exit()
	if w, err = d.d.Watch(ctx); err != nil {
		return nil, none, d.named(err)
	}
	forget := d.OnClose(w.Leave)
	end := sync.OnceFunc(func() {
		forget()
		w.Leave()
	})
	if d.Closed() { // before it heard of the watcher
		end()
	}
	stop := context.AfterFunc(ctx, end)
	return w, func() { stop(); end() }, nil
}

func (d *dictionary) next(ctx context.Context, w *dict.Watcher) ([]dict.Event, error) {
	if err := d.enter(ctx); err != nil {
		return nil, err
	}
	defer d.Exit()
	return w.Next(ctx)
}

// changeOf is a change as a driver tells it.
func changeOf(e *dict.Event) driver.Change {
	if e.Cleared {
		return driver.Change{}
	}
	c := driver.Change{Key: e.Key.Append(nil), Version: e.Version}
	if !e.Gone {
		c.Value = e.Value.Append(nil)
	}
	return c
}
