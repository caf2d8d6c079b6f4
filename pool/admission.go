package pool

import (
	"time"

	"multiproc/internal/machine"
)

// bucket is a token bucket: it fills with a rate up to a burst, and each item that
// begins takes a token.
type bucket struct {
	rate, burst float64
	tokens      float64
	filled      time.Time
	timer       *time.Timer
}

// take takes up to n tokens, and otherwise says when there will be one.
func (b *bucket) take(n int, now time.Time) (got int, next time.Duration) {
	if b.rate == 0 {
		return n, 0
	}
	if b.filled.IsZero() {
		b.tokens = b.burst
	} else {
		b.tokens = min(b.burst, b.tokens+b.rate*now.Sub(b.filled).Seconds())
	}
	b.filled = now
	if got = min(n, int(b.tokens)); got > 0 {
		b.tokens -= float64(got)
		return got, 0
	}
	return 0, time.Duration((1 - b.tokens) / b.rate * float64(time.Second))
}

// giveBack gives tokens back that were not used.
func (b *bucket) giveBack(n int) {
	if b.rate > 0 {
		b.tokens += float64(n)
	}
}

// allow is how many of n items the rate of a stream lets begin now. If there are
// none it sees to it that somebody looks again. mu is held.
func (s *stream) allow(n int) int {
	got, next := s.bucket.take(n, time.Now())
	if got == 0 && s.bucket.timer == nil {
		s.bucket.timer = time.AfterFunc(next, func() {
			s.p.mu.Lock()
			s.bucket.timer = nil
			s.p.fill()
			s.p.unlock()
		})
	}
	return got
}

// keys are the items of a stream that must not run beside each other: of each key
// that one has, those that wait for it.
type keys map[string][]run

// putKeyed puts an item with a key, that of its argument. mu is held.
func (s *stream) putKeyed(r run) {
	if s.keys == nil {
		s.keys = keys{}
	}
	waiting, taken := s.keys[r.key]
	if taken {
		s.keys[r.key] = append(waiting, r)
		return
	}
	s.keys[r.key] = nil
	s.values = append(s.values, r)
}

// freeKey lets the next item of a key begin, when this one has its result. mu is
// held.
func (s *stream) freeKey(r run) {
	if r.key == "" || s.closed {
		return
	}
	waiting := s.keys[r.key]
	if len(waiting) == 0 {
		delete(s.keys, r.key)
		return
	}
	s.keys[r.key] = waiting[1:]
	s.values = append(s.values, waiting[0])
	s.p.queue.add(s)
}

// load is the sum of the weights of what runs. mu is held.
func (p *Pool) load() (sum int) {
	for _, h := range p.hands {
		sum += h.load()
	}
	return sum
}

// load is the weight of the heaviest that the worker has; it runs one at a time.
func (h *hand) load() (most int) {
	for _, is := range h.orders {
		if is.s.pinned == nil {
			most = max(most, is.s.c.weight())
		}
	}
	return most
}

// admits reports whether the machine has room for a worker with an item of s. mu
// is held.
func (p *Pool) admits(h *hand, s *stream) bool {
	if s.pinned != nil {
		return true
	}
	own := h.load()
	if p.short && own == 0 && p.load() > 0 {
		return false
	}
	w := s.c.weight()
	if w <= own || w == 1 && !p.weighs {
		return true
	}
	others := p.load() - own
	return others == 0 || others+w <= p.target
}

// lookAtMemory finds out whether memory is short, ten times a second. mu is held.
func (p *Pool) lookAtMemory(now time.Time) {
	if p.o.MinFree == 0 || now.Sub(p.looked) < 100*time.Millisecond {
		return
	}
	p.looked = now
	p.short = available() < p.o.MinFree
}

// available is a variable for tests.
var available = machine.Available
