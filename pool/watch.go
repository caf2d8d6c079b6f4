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
		if slices.ContainsFunc(p.hands, func(h *hand) bool { return len(h.orders) == 0 && h.ready }) {
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
	is := h.orders[0]
	if now.Sub(is.sent) < tickTime {
		return
	}
	if h.receiver == nobody { // who was about to wait does not
		h.resume()
	}
	if is.arg == "" {
		is.arg = is.argument() // it may be gone when the order is done
	}
	h.harvest(is)
	if is.withdrawn && now.After(is.killAt) && !h.killAt(is, -1, is.cause) && !h.runsAnother(is) {
		h.kill(is.cause) // it has finished, and does not say so: it is stopped, for example
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
	each := max(now.Sub(is.sent)/time.Duration(is.count+1), 1)
	s.pace.atLeast(each)
	for i, o := range h.orders {
		keep := 0
		if i == 0 {
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

// runsAnother reports whether the worker has begun an item of another order.
func (h *hand) runsAnother(is *issued) bool {
	return slices.ContainsFunc(h.orders, func(o *issued) bool { return o != is && o.running() >= 0 })
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
