package mp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"multiproc/internal/local"
	"multiproc/internal/mperr"
	"multiproc/internal/ring"
	"multiproc/internal/robust"
)

// Source is what Select can wait for: a *Queue or *Conn, which is ready when
// Get or Recv would not wait, and a *Process, which is ready when it has
// ended.
type Source interface {
	source() (*waitSource, error)
}

// waitSource is a source while Select looks at it.
type waitSource struct {
	ready   func() bool
	event   *robust.Event   // notified when ready may have changed; or
	done    <-chan struct{} // closed when ready
	next    func() int64    // when ready may change with nobody to notify event, see ring.NextLook; nil for a process
	handle  *local.Memory   // whose Close ends the wait; nil for a process
	release func()

	// Those of an object in a place, instead of ready, event and done: poll
	// asks, await returns when it is ready, which is then kept in arrived.
	poll    func(context.Context) (bool, error)
	await   func(context.Context) error
	arrived atomic.Bool
}

// look reports whether the source is ready.
func (l *waitSource) look(ctx context.Context) (bool, error) {
	if l.poll == nil || l.arrived.Load() {
		return l.poll != nil || l.ready(), nil
	}
	return l.poll(ctx)
}

// lookAt makes a waitSource of a handle that was entered.
func lookAt(m *local.Memory, r *ring.Ring) *waitSource {
	return &waitSource{ready: r.Readable, event: r.ReadEvent(), next: r.NextLook, handle: m, release: m.Exit}
}

// closed returns the error of a source that was closed.
func closed(looks []*waitSource) error {
	for _, l := range looks {
		if l.handle != nil && l.handle.Closed() {
			return l.handle.ErrClosed()
		}
	}
	return nil
}

// Select waits until at least one of the sources is ready, and returns the
// indexes of all that are, in order. Ready says only that a call would not have
// waited at that moment: where others read too, use TryGet or TryRecv.
// It takes nothing out of any source. A queue in a place costs a round trip
// to look at.
func Select(ctx context.Context, sources ...Source) (ready []int, err error) {
	if ctx.Err() != nil {
		return nil, mperr.Ended(ctx)
	}
	if len(sources) == 0 {
		return nil, errors.New("select: no sources")
	}
	looks := make([]*waitSource, 0, len(sources))
	defer func() {
		for _, l := range looks {
			l.release()
		}
	}()
	for i, s := range sources {
		if s == nil {
			return nil, fmt.Errorf("select: source %d is nil", i)
		}
		l, err := s.source()
		if err != nil {
			return nil, err
		}
		looks = append(looks, l)
	}
	for {
		var out []int
		for i, l := range looks {
			ready, err := l.look(ctx)
			if err != nil {
				return nil, err
			}
			if ready {
				out = append(out, i)
			}
		}
		if len(out) > 0 {
			return out, nil
		}
		if err := waitAny(ctx, looks); err != nil {
			if shut := closed(looks); shut != nil && ctx.Err() == nil {
				return nil, shut
			}
			return nil, err
		}
	}
}

// waitAny returns when any source may have become ready. Queues and pipes in
// memory are waited for in groups, one thread a group; for a queue in a place a
// call waits there.
func waitAny(ctx context.Context, looks []*waitSource) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	woken := make(chan error, len(looks)+1)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer cancel()

	var events []*waitSource
	for _, l := range looks {
		if l.handle != nil {
			// They do not sleep where the abort of a handle wakes.
			defer l.handle.OnClose(cancel)()
		}
		if l.event != nil {
			events = append(events, l)
			continue
		}
		if l.await != nil {
			waiting.Go(func() {
				err := l.await(ctx)
				l.arrived.Store(err == nil)
				woken <- err
			})
			continue
		}
		waiting.Go(func() {
			select {
			case <-l.done:
				woken <- nil
			case <-ctx.Done():
			}
		})
	}
	if err := closed(looks); err != nil { // before its Close could see us
		return err
	}
	for len(events) > 0 {
		group := events[:min(len(events), robust.MaxEvents)]
		events = events[len(group):]
		waiting.Go(func() {
			woken <- waitGroup(ctx, group)
		})
	}
	select {
	case err := <-woken:
		if ctx.Err() == nil || err == nil {
			return err
		}
		return mperr.Ended(ctx)
	case <-ctx.Done():
		return mperr.Ended(ctx)
	}
}

// waitGroup waits for queues and pipes in memory, until then, until one of them may be
// ready without anybody's doing, or that time is another.
func waitGroup(ctx context.Context, group []*waitSource) error {
	list, nexts, first := make([]*robust.Event, len(group)), make([]int64, len(group)), int64(0)
	for i, l := range group {
		list[i], nexts[i] = l.event, l.next()
		if nexts[i] != 0 && (first == 0 || nexts[i] < first) {
			first = nexts[i]
		}
	}
	within := ctx
	if first != 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, ring.Until(first))
		defer cancel()
	}
	err := robust.WaitAny(within, list, func() bool {
		for i, l := range group {
			if l.ready() || l.next() != nexts[i] {
				return true
			}
		}
		return false
	})
	if err != nil && ctx.Err() == nil && within.Err() != nil {
		return nil
	}
	return err
}

func (c *child) source() (*waitSource, error) {
	return &waitSource{
		ready: func() bool {
			select {
			case <-c.done:
				return true
			default:
				return false
			}
		},
		done:    c.done,
		release: func() {},
	}, nil
}
