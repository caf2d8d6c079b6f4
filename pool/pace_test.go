package pool

import (
	"testing"
	"time"

	"multiproc/mp/executor"
)

func TestPace(t *testing.T) {
	var p pace
	if n := p.chunk(0, 1000, 2); n != 1 {
		t.Errorf("%d items at first, of which nothing is known", n)
	}
	if n := p.ahead(0); n != 0 {
		t.Errorf("%d orders ahead at first", n)
	}
	p.observe(1, time.Microsecond, 2*time.Microsecond)
	for _, x := range []struct{ fixed, waiting, want int }{
		{0, 1_000_000, 300}, // 300 µs
		{0, 400, 100},       // a quarter for each of two workers, twice
		{0, 3, 50},          // all: another worker would have to be woken for them
		{7, 3, 7},
	} {
		if n := p.chunk(x.fixed, x.waiting, 2); n != x.want {
			t.Errorf("%d of %d items, want %d", n, x.waiting, x.want)
		}
	}
	if n := p.ahead(0); n != 1 {
		t.Errorf("%d orders ahead", n)
	}
	if n := p.ahead(1); n != maxAhead {
		t.Errorf("%d orders of one item ahead", n)
	}
	p.atLeast(time.Second)
	if n, ahead := p.chunk(0, 1_000_000, 2), p.ahead(0); n != 1 || ahead != 0 {
		t.Errorf("%d items that take a second, %d orders ahead", n, ahead)
	}
	if n := p.window(0, 2); n != 64 {
		t.Errorf("a window of %d items that take a second", n)
	}
}

// Orders of a few items whose worker had to wait for a processor do not say that
// items take long; one that is not done in time does.
func TestPaceIsSteady(t *testing.T) {
	var p pace
	p.observe(1, time.Microsecond, 0)
	for range 50 {
		p.observe(p.wanted(), time.Duration(p.wanted())*10, 0)
	}
	if p.item < 9 || p.item > 11 {
		t.Fatalf("%v ns for items of 10", p.item)
	}
	for range 50 {
		p.observe(3, 200*time.Nanosecond, 0)
	}
	p.observe(3, time.Millisecond, 0)
	if p.item > 30 {
		t.Errorf("%v ns after small orders, one of which was held up", p.item)
	}
	p.atLeast(time.Millisecond)
	if n := p.wanted(); n != 1 {
		t.Errorf("%d items that take a millisecond", n)
	}
	for range 40 {
		p.observe(p.wanted(), time.Duration(p.wanted())*10, 0)
	}
	if p.item > 20 {
		t.Errorf("%v ns when items of 10 have come again", p.item)
	}
}

func TestRetryDelay(t *testing.T) {
	r := Retry{Backoff: 10 * time.Millisecond, MaxBackoff: 35 * time.Millisecond}
	for n, most := range []time.Duration{10, 20, 35, 35, 35} {
		if d := r.delay(n); d < most*time.Millisecond/2 || d > most*time.Millisecond {
			t.Errorf("retry %d after %v", n, d)
		}
	}
	if d := (&Retry{}).delay(3); d != 0 {
		t.Errorf("%v without backoff", d)
	}
}

func TestBucket(t *testing.T) {
	b := bucket{rate: 10, burst: 3}
	now := time.Unix(1000, 0)
	if n, _ := b.take(5, now); n != 3 {
		t.Errorf("%d at first", n)
	}
	if n, next := b.take(5, now.Add(50*time.Millisecond)); n != 0 || next != 50*time.Millisecond {
		t.Errorf("%d, and the next in %v", n, next)
	}
	if n, _ := b.take(5, now.Add(200*time.Millisecond)); n != 2 {
		t.Errorf("%d after a while", n)
	}
	if n, _ := b.take(5, now.Add(time.Hour)); n != 3 {
		t.Errorf("%d after an hour", n)
	}
}

// Whatever a worker writes to its region, items are not lost or doubled by what the
// pool takes back.
func TestRegion(t *testing.T) {
	b := make([]byte, 1024)
	r := regionAt(b)
	r.reset(10, 0)
	if from, to, killed := r.claim(3); from != 0 || to != 3 || killed {
		t.Error(from, to, killed)
	}
	if from, to := r.takeBack(2); from != 5 || to != 10 {
		t.Error(from, to)
	}
	if from, to, _ := r.claim(16); from != 3 || to != 5 {
		t.Error(from, to)
	}
	if r.condemn(0) {
		t.Error("another item was claimed last")
	}
	if _, to, _ := r.claim(1); to != 5 || r.condemn(-1) {
		t.Error("it is finished")
	}
	if from, to := r.takeBack(0); from != to {
		t.Error("taken back from what is finished")
	}
	r.reset(10, 4)
	if _, _, killed := r.claim(1); killed || !r.condemn(0) {
		t.Error("not condemned")
	}
	if _, _, killed := r.claim(1); !killed {
		t.Error("it goes on")
	}
	if n, _ := r.published(); n != 4 {
		t.Error(n)
	}
}

// The arguments that are under way take some memory only, unless the user has said
// how many there may be.
func TestFull(t *testing.T) {
	for _, x := range []struct {
		index, window int
		held          int64
		want          bool
	}{
		{63, 0, maxHeld, false},
		{64, 0, 0, true},
		{3, 0, maxHeld + 1, false}, // not two for each worker
		{4, 0, maxHeld + 1, true},
		{9, 10, maxHeld + 1, false},
		{10, 10, 0, true},
	} {
		s := newStream(&Pool{o: Options{Workers: 2}}, executor.Job{}, Call{Window: x.window}, nil)
		s.index = x.index
		s.held.Store(x.held)
		if got := s.full(); got != x.want {
			t.Errorf("%+v: %v", x, got)
		}
	}
}
