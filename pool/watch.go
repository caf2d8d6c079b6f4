package pool

import (
	"context"
	"fmt"
	"slices"
	"time"

	"multiproc/internal/machine"
)

// tickTime is how often a pool looks after orders that take long.
const tickTime = 5 * time.Millisecond

// tick sees to it that somebody looks after orders that take long. mu is held.
func (p *Pool) tick(now time.Time) {
	p.busy = now
	if !p.ticking {
		p.ticking = true
		go p.watch()
	}
}

func (p *Pool) watch() {
	t := time.NewTicker(tickTime)
	defer t.Stop()
	for {
		select {
		case <-p.over:
			return
		case <-t.C:
		}
		p.mu.Lock()
		now := time.Now()
		p.lookAtMemory(now)
		for _, h := range p.hands {
			h.look(now)
		}
		if p.o.Idle > 0 || slices.ContainsFunc(p.hands, func(h *hand) bool { return len(h.orders) == 0 && h.ready }) {
			p.fill()
		}
		more := now.Sub(p.busy) < time.Second || slices.ContainsFunc(p.hands, func(h *hand) bool { return len(h.orders) > 0 }) || p.o.Idle > 0
		p.ticking = more
		p.unlock()
		if !more {
			return
		}
	}
}

var errTimeout = fmt.Errorf("the item took longer than Call.Timeout: %w", context.DeadlineExceeded)

// look takes what is there of an order that takes long, and ends an item that takes
// too long. mu is held.
func (h *hand) look(now time.Time) {
	if len(h.orders) == 0 {
		if idle := h.p.o.Idle; idle > 0 && h.ready && !h.leaving && now.Sub(h.since) > idle && h.p.above() {
			h.leave()
		}
		return
	}
	if now.Sub(h.orders[0].sent) < tickTime {
		return
	}
	if h.receiver == nobody { // who was about to wait does not
		h.resume()
	}
	if first := h.orders[0]; first.arg == "" {
		first.arg = first.argument() // it may be gone when the order is done
	}
	is := h.at()
	for _, o := range h.orders {
		h.harvest(o)
		if o.withdrawn && now.After(o.killAt) {
			h.enforce(o, is)
		}
		if o == is {
			break
		}
	}
	if is == nil {
		return
	}
	item := is.running()
	if item < 0 {
		return
	}
	h.rebalance(is, now)
	pid := h.proc.PID()
	c := &is.s.c
	if item != is.watched {
		is.watched, is.since = item, now
		is.cpu, _ = machine.CPUTime(pid)
	}
	if c.CPULimit > 0 {
		if used, err := machine.CPUTime(pid); err == nil && used-is.cpu > c.CPULimit {
			h.killAt(is, item, ErrCPULimit)
		}
	}
	if c.MemoryLimit > 0 {
		if n, err := machine.Resident(pid); err == nil && n > c.MemoryLimit {
			is.memory = n
			h.killAt(is, item, ErrMemoryLimit)
		}
	}
	if t := c.Timeout; t > 0 && now.Sub(is.since) > t+h.graceOf(is) {
		h.killAt(is, item, errTimeout)
	}
}

// rebalance takes items back from a worker that has more of them than it should:
// they take longer than those did by which their number was chosen. mu is held.
func (h *hand) rebalance(is *issued, now time.Time) {
	s := is.s
	if s.fixed > 0 || s.pinned != nil || s.closed {
		return
	}
	if is.began.IsZero() { // before it was behind others, which says nothing of it
		is.began, is.had = now, is.count
		return
	}
	each := max(now.Sub(is.began)/time.Duration(is.count-is.had+1), 1)
	s.pace.atLeast(each)
	for _, o := range h.orders {
		keep := 0
		if o == is {
			keep = int(maxTarget / each)
		}
		next, end := splitPlace(o.region.place.Load())
		if o.s != s || time.Duration(end-next-keep)*each < 2*maxTarget {
			continue
		}
		if r, ok := h.takeBack(o, keep); ok {
			s.restore(r)
		}
	}
}

// at is the order that the worker is at: the first that it has not gone through. What
// it says of those before may be under way. It is nil if there is none. mu is held.
func (h *hand) at() *issued {
	for _, is := range h.orders {
		if is.region.place.Load()&flagFinished == 0 {
			return is
		}
	}
	return nil
}

// enforce kills the worker because of an order that was withdrawn and is not done in
// time; at is the one that it is at. mu is held.
func (h *hand) enforce(o, at *issued) {
	switch {
	case o == at:
		h.killAt(o, -1, o.cause)
	case at == nil || at.region.condemnUnbegun():
		h.kill(o.cause) // it has gone through, and does not say so: it is stopped, for example
	}
}

// above reports whether there are more workers than there must be.
func (p *Pool) above() bool {
	n := 0
	for _, h := range p.hands {
		if !h.leaving && !h.spare {
			n++
		}
	}
	return n > p.o.Min
}
