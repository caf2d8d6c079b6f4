package pool

import (
	"context"
	"runtime"
	"time"
)

// receiver is who takes the notes of a worker. While it has orders that is its
// follower; while it has none, nobody, so that the follower need not be woken by
// the worker when there is an order again. Who submits an item and waits for it at once takes
// the notes itself: between it and the worker is no other goroutine then, which
// would have to be woken for each item. Leader and followers, as Schmidt, O'Ryan,
// Kircher, Pyarali and Buschmann call that (Leader/Followers, PLoP 2000).
type receiver int

const (
	nobody receiver = iota
	follower
	waiter
)

// receive takes notes as the follower. It returns true when there is nothing to wait
// for, and false when no more can come.
func (h *hand) receive() bool {
	for {
		n, err := h.lane.Recv(context.Background())
		if err != nil {
			return false
		}
		h.p.mu.Lock()
		h.notes(n)
		idle := h.rests()
		if idle {
			h.receiver = nobody
		}
		if h.p.unlock() {
			// Who waits for that runs on this processor at once; another one would
			// have to be woken.
			runtime.Gosched()
		}
		if idle {
			return true
		}
	}
}

// notes takes a note, and those that are there as well. mu is held.
func (h *hand) notes(n note) {
	now := time.Now()
	for {
		h.note(n, now)
		var err error
		if n, err = h.lane.TryRecv(); err != nil {
			break
		}
	}
	h.p.fill()
}

// rests reports whether nothing is to be expected of the worker. mu is held.
func (h *hand) rests() bool { return len(h.orders) == 0 && h.ready && !h.leaving && !h.gone }

// listenTo sees to it that somebody takes the worker's notes, which has an order of
// s now. mu is held.
func (h *hand) listenTo(s *stream) {
	if h.receiver == nobody && !s.waits {
		h.resume()
	}
}

// resume has the follower take notes again. mu is held.
func (h *hand) resume() {
	h.receiver = follower
	h.wake <- struct{}{}
}

// stopWaiting sends the caller of Wait away from the worker's notes: its item is
// given up, or another worker's. mu is held.
func (s *stream) stopWaiting() {
	if s.interrupt != nil {
		s.interrupt()
	}
}

// Wait implements executor.Waiter.
func (s *stream) Wait(done <-chan struct{}) {
	p := s.p
	p.mu.Lock()
	s.waits = false
	h := s.hand
	if s.closed || h == nil || h.receiver != nobody {
		if h != nil && h.receiver == nobody && !h.rests() { // the item is done, and its order is not
			h.resume()
		}
		p.unlock()
		<-done
		return
	}
	h.receiver = waiter
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.interrupt = cancel
	p.unlock()
	for {
		n, err := h.lane.Recv(ctx)
		p.mu.Lock()
		if err == nil {
			h.notes(n)
		}
		over := err != nil || s.closed || s.hand != h // taken back, for another worker
		if over {
			s.interrupt = nil
			if h.receiver = nobody; err != nil || !h.rests() {
				h.resume()
			}
		}
		p.unlock()
		if over {
			<-done
			return
		}
	}
}
