package store

import (
	"fmt"
	"math/rand/v2"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// ticket is a reference under way from one client to another: it keeps the
// object alive until it is redeemed.
type ticket struct {
	entry *entry
	by    *Session    // who made it; nil once that has ended
	timer *time.Timer // from then on
}

// afterlife is how long tickets outlive the session that made them.
const afterlife = time.Minute

func (t *ticket) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// Ticket makes a ticket for an object: a number that any session can redeem,
// once.
func (ss *Session) Ticket(id uint64) (uint64, error) {
	s := ss.store
	e := s.table.get(id)
	if e == nil {
		return 0, unknown(id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ss.ended || s.closed:
		return 0, errEnded
	case e.gone:
		return 0, unknown(id)
	case len(ss.tickets) >= maxTickets:
		return 0, fmt.Errorf("%w: %d references of this client to objects are under way", mperr.ErrLimit, maxTickets)
	case len(s.tickets) >= s.ticketsAtMost:
		return 0, fmt.Errorf("%w: %d references of all clients to objects are under way; those of clients that ended are forgotten after a minute",
			mperr.ErrLimit, len(s.tickets))
	}
	n := rand.Uint64()
	for n == 0 || s.tickets[n] != nil {
		n = rand.Uint64()
	}
	s.tickets[n] = &ticket{entry: e, by: ss}
	ss.tickets[n] = struct{}{}
	s.countLocked(e)
	return n, nil
}

// Redeem turns a ticket into a reference of the session.
func (ss *Session) Redeem(n uint64) (id uint64, typ *Type, err error) {
	s := ss.store
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tickets[n]
	switch {
	case t == nil:
		return 0, nil, fmt.Errorf("%w: the reference was used already, or came too late: %w", mperr.ErrNoHandle, pyvalue.KeyError(Ident(n)))
	case ss.ended || s.closed:
		return 0, nil, errEnded
	}
	s.dropTicketLocked(n, t)
	ss.refs[t.entry.id]++ // the ticket's count becomes the session's
	return t.entry.id, t.entry.typ, nil
}

func (s *Store) dropTicketLocked(n uint64, t *ticket) {
	delete(s.tickets, n)
	if t.by != nil {
		delete(t.by.tickets, n)
	}
	t.stop()
}

// orphanTicketsLocked gives the tickets of a session that ends their last
// minute.
func (s *Store) orphanTicketsLocked(ss *Session) {
	for n := range ss.tickets {
		t := s.tickets[n]
		t.by = nil
		if !s.closed {
			t.timer = time.AfterFunc(afterlife, func() { s.expireTicket(n) })
		}
	}
	ss.tickets = nil
}

func (s *Store) expireTicket(n uint64) {
	s.mu.Lock()
	t := s.tickets[n]
	if t == nil {
		s.mu.Unlock()
		return
	}
	s.dropTicketLocked(n, t)
	dead := s.releaseLocked(t.entry, 1)
	s.mu.Unlock()
	s.dispose(dead)
}
