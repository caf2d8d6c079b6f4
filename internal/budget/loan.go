package budget

import "sync/atomic"

// Loan is what one piece of work has taken from a share: it is given back as a
// whole when the work is done. The methods may be called by several goroutines.
// The zero Loan, and a nil one, take everything and count nothing.
type Loan struct {
	share *Share
	n     atomic.Int64
}

// small is what a loan takes without asking: the server counts that much for
// each connection.
const small = 4 << 10

// Begin makes the loan one of s.
func (l *Loan) Begin(s *Share) { l.share = s }

// Take charges n bytes, before they are allocated, as Share.Take does. What is
// small it lets pass.
func (l *Loan) Take(n int) error {
	if n <= small || l == nil || l.share == nil {
		return nil
	}
	err := l.share.Take(n)
	if err == nil {
		l.n.Add(int64(n))
	}
	return err
}

// Meter returns a function that charges as Take does, for those who allocate in
// small pieces: it takes them together.
func (l *Loan) Meter() func(n int) error {
	if l == nil || l.share == nil {
		return nil
	}
	room := small
	return func(n int) error {
		if room -= n; room >= 0 {
			return nil
		}
		more := max(-room, min(max(int(l.n.Load())/8, small), maxStep)) + 1
		if err := l.Take(max(more, small+1)); err != nil {
			return err
		}
		room += max(more, small+1)
		return nil
	}
}

// maxStep is how much a Meter takes at once beyond what it needs.
const maxStep = 1 << 20

// Give gives n bytes back early.
func (l *Loan) Give(n int) {
	if n <= small || l == nil || l.share == nil {
		return
	}
	l.n.Add(-int64(n))
	l.share.Give(n)
}

// End gives everything back. The loan may be used again.
func (l *Loan) End() {
	if l != nil && l.share != nil && l.n.Load() != 0 {
		l.share.Give(int(l.n.Swap(0)))
	}
}
