package drivertest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// leases are what a queue knows of items that are lent, or wait for the end of a
// delay.
type leases struct {
	lent     map[uint64]*lease
	ids      uint64
	own      time.Duration // for how long, unless something else is said
	attempts int           // after so many an item goes to dead; 0: it never does
	dead     *queue
}

// lease is an item that is in nobody's reach until then, or until its session ends.
type lease struct {
	queued
	to    *Session // nil: it is delayed
	until time.Time
}

var _ driver.QueueLeaser = (*queueHandle)(nil)

// leasesOf are those of a queue that is made by spec.
func leasesOf(spec driver.Spec) leases {
	l := leases{lent: map[uint64]*lease{}, own: cmp.Or(spec.Lease, driver.DefaultLease)}
	if h, ok := spec.DeadLetter.(*queueHandle); ok {
		l.dead, l.attempts = h.q, spec.Attempts
	}
	return l
}

// checkDeadLetter reports what is wrong with Spec.DeadLetter.
func (p *Session) checkDeadLetter(dead driver.Object) error {
	if dead == nil {
		return nil
	}
	if _, err := dead.Embed(p); err != nil {
		return err
	}
	if _, ok := dead.(*queueHandle); !ok {
		return fmt.Errorf("%v is no queue for dead letters: %w", dead, mperr.ErrType)
	}
	return nil
}

// keep has an item out of reach. The lock is held.
func (h *queueHandle) keep(it queued, to *Session, d time.Duration) (id uint64) {
	q := h.q
	q.ids++
	id = q.ids
	q.lent[id] = &lease{queued: it, to: to}
	h.ends(id, d)
	return id
}

// ends has a lease end after a time. The lock is held.
func (h *queueHandle) ends(id uint64, d time.Duration) {
	s, l := h.session.store, h.q.lent[id]
	until := time.Now().Add(d)
	l.until = until
	time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l := h.q.lent[id]; l != nil && l.until.Equal(until) {
			h.q.putBack(id)
			s.tell()
		}
	})
}

// putBack has an item in reach again: it is where it was, or among the dead
// letters, or, if these are full, where it was all the same. The lock is held.
func (q *queue) putBack(id uint64) {
	it := q.lent[id].queued
	delete(q.lent, id)
	if q.dead != nil && it.attempt >= q.attempts {
		if ok, _ := q.dead.put(it.v); ok {
			q.settle()
			return
		}
	}
	i, _ := slices.BinarySearchFunc(q.items, it.put, func(x queued, put uint64) int { return cmp.Compare(x.put, put) })
	q.items = slices.Insert(q.items, i, it)
	q.held += int64(len(it.v))
}

// settle counts an item as dealt with.
func (q *queue) settle() { q.open = max(q.open-1, 0) }

// ownerGone implements mortal.
func (q *queue) ownerGone(p *Session) {
	for id, l := range q.lent {
		if l.to == p {
			q.putBack(id)
		}
	}
}

// mine is a lease of this session.
func (h *queueHandle) mine(id uint64) (*lease, error) {
	if l := h.q.lent[id]; l != nil && l.to == h.session {
		return l, nil
	}
	return nil, mperr.ErrLeaseLost
}

func (h *queueHandle) lend(limit int) (out []driver.Delivery, err error) {
	if limit < 1 {
		return nil, fmt.Errorf("a batch of at most %d items: %w", limit, mperr.ErrValue)
	}
	items, err := h.q.take(limit)
	for _, it := range items {
		it.attempt++
		out = append(out, driver.Delivery{Value: it.v, Lease: h.keep(it, h.session, h.q.own), Attempt: it.attempt})
	}
	return out, err
}

func (h *queueHandle) Receive(ctx context.Context, limit int) (out []driver.Delivery, err error) {
	err = h.when(ctx, func() (bool, error) {
		var err error
		out, err = h.lend(limit)
		return len(out) > 0, err
	})
	return out, err
}

func (h *queueHandle) TryReceive(ctx context.Context, limit int) (out []driver.Delivery, err error) {
	err = h.do(ctx, func() error {
		var err error
		if out, err = h.lend(limit); err == nil && len(out) == 0 {
			err = mperr.ErrEmpty
		}
		return err
	})
	return out, err
}

func (h *queueHandle) Ack(ctx context.Context, ids []uint64) (lost []uint64, err error) {
	err = h.do(ctx, func() error {
		for _, id := range ids {
			if _, err := h.mine(id); err != nil {
				lost = append(lost, id)
				continue
			}
			delete(h.q.lent, id)
			h.q.settle()
		}
		return nil
	})
	if err == nil && len(lost) > 0 {
		err = fmt.Errorf("%v: %w", h, mperr.ErrLeaseLost)
	}
	return lost, err
}

func (h *queueHandle) Nack(ctx context.Context, id uint64, delay time.Duration) error {
	return h.do(ctx, func() error {
		l, err := h.mine(id)
		switch {
		case err != nil:
			return err
		case delay <= 0 || h.q.dead != nil && l.attempt >= h.q.attempts:
			h.q.putBack(id)
		default:
			delete(h.q.lent, id)
			h.keep(l.queued, nil, delay)
		}
		return nil
	})
}

func (h *queueHandle) Extend(ctx context.Context, id uint64, d time.Duration) error {
	return h.do(ctx, func() error {
		if _, err := h.mine(id); err != nil {
			return err
		}
		h.ends(id, cmp.Or(max(d, 0), h.q.own))
		return nil
	})
}

func (h *queueHandle) Leased(ctx context.Context) (n int, err error) {
	err = h.do(ctx, func() error { n = len(h.q.lent); return nil })
	return n, err
}
