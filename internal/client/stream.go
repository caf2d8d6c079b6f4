package client

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"sync"

	"multiproc/internal/mperr"
)

// stream is what a call yields before it is answered: the changes that a
// watcher sees.
type stream struct {
	mu     sync.Mutex
	events [][]byte
	bytes  int
	over   bool
	err    error         // why it is over
	ready  chan struct{} // a token when there is something to look at
}

// A watcher that is further behind than this is too slow.
const (
	maxEvents     = 1 << 16
	maxEventBytes = 16 << 20
)

// push adds a copy of an event. It refuses if the watcher is too slow.
func (s *stream) push(event []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return true
	}
	if len(s.events) == maxEvents || s.bytes+len(event) > maxEventBytes {
		return false
	}
	s.events = append(s.events, bytes.Clone(event))
	s.bytes += len(event)
	s.tell()
	return true
}

func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over, s.err = true, err
	s.tell()
}

// tell wakes the watcher. It is called with mu held.
func (s *stream) tell() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// all takes what has come; over says that nothing more will.
func (s *stream) all() (events [][]byte, over bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, s.events, s.bytes = s.events, nil, 0
	return events, s.over, s.err
}

// watch subscribes to the changes of an object. When it returns the server
// has seen to that, so that all later changes come, whoever makes them.
func watch[C any](ctx context.Context, h *handle, parse func(event []byte) (C, error)) iter.Seq2[C, error] {
	var none C
	l, r, err := h.subscribe(ctx)
	if err != nil {
		return func(yield func(C, error) bool) { yield(none, err) }
	}
	seq := r.seq
	// Whoever never loops still ends the watch with ctx.
	stop := context.AfterFunc(ctx, func() { l.cancel(seq, mperr.Ended(ctx)) })
	return func(yield func(C, error) bool) {
		defer l.cancel(seq, errUnwatched)
		defer stop()
		for {
			select {
			case <-ctx.Done():
				yield(none, r.named(mperr.Ended(ctx)))
				return
			case <-r.stream.ready:
			}
			events, over, err := r.stream.all()
			for _, event := range events {
				c, err := parse(event)
				if err != nil {
					err = r.named(err)
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
			if over {
				if err != nil {
					yield(none, r.named(err))
				}
				return
			}
		}
	}
}

// errUnwatched is why a watch is cancelled whose loop has ended.
var errUnwatched = errors.New("the loop over the changes has ended")

// subscribe begins a watch, and waits until the server has begun it, too: it
// carries out the calls of a connection in order.
func (h *handle) subscribe(ctx context.Context) (*link, *request, error) {
	for again := true; ; again = false {
		r := &request{m: h.m, h: h, id: h.id, method: "mp.watch", stream: &stream{ready: make(chan struct{}, 1)}}
		l, err := r.route(ctx)
		if err == nil {
			err = l.call(ctx, r)
		}
		if err == nil {
			ping := h.m.request(storePing)
			if err = l.call(ctx, ping); err != nil {
				l.cancel(r.seq, errUnwatched)
			}
			ping.free()
		}
		if err == nil {
			return l, r, nil
		}
		if !again || !errors.Is(err, errNotSent) {
			return nil, nil, r.named(err)
		}
	}
}
