//go:build soak

package soak

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
)

const places = 8

// kills is how many the storm has; MP_SOAK_KILLS changes it.
func kills(t *testing.T) int {
	t.Helper()
	if s := os.Getenv("MP_SOAK_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		return n
	}
	return 2000
}

func newStorm(t *testing.T) *storm {
	t.Helper()
	s := &storm{}
	q, err := mp.NewQueue[[]byte](256)
	s.Queue = closing(t, q, err)
	next, err := mp.NewRawArray[int64](places)
	s.Next = closing(t, next, err)
	put, err := mp.NewArray[uint8](places * ids)
	s.Put = closing(t, put, err)
	got, err := mp.NewArray[uint8](places * ids)
	s.Got = closing(t, got, err)
	v, err := mp.NewValue(wide{})
	s.Value = closing(t, v, err)
	updates, err := mp.NewArray[int64](places)
	s.Updates = closing(t, updates, err)
	m, err := mp.NewMutex()
	s.Mutex = closing(t, m, err)
	guarded, err := mp.NewRawArray[int64](2)
	s.Guarded = closing(t, guarded, err)
	locks, err := mp.NewArray[int64](places)
	s.Locks = closing(t, locks, err)
	repairs, err := mp.NewCounter(0)
	s.Repairs = closing(t, repairs, err)
	rescues, err := mp.NewCounter(0)
	s.Rescues = closing(t, rescues, err)
	stop, err := mp.NewCounter(0)
	s.Stop = closing(t, stop, err)
	return s
}

func (s *storm) start(t *testing.T, place int) *mp.Process[mp.None] {
	t.Helper()
	mine := *s
	mine.Place = place
	p, err := Work.Start(context.Background(), mine)
	must(t, err)
	return p
}

func TestStorm(t *testing.T) {
	s, n := newStorm(t), kills(t)
	var workers [places]*mp.Process[mp.None]
	for i := range workers {
		workers[i] = s.start(t, i)
	}
	began := time.Now()
	for range n {
		i := rand.IntN(places)
		must(t, workers[i].Kill())
		err := workers[i].Wait(t.Context())
		var exit *mp.ExitError
		if !errors.As(err, &exit) || exit.State.Signal != syscall.SIGKILL {
			t.Fatalf("a worker ended before it was killed: %v", err)
		}
		workers[i] = s.start(t, i)
		<-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond)
	}
	t.Logf("%d kills in %v", n, time.Since(began))

	s.Stop.Add(1)
	for _, w := range workers {
		must(t, w.Wait(t.Context()))
	}
	must(t, s.Queue.CloseWrite(t.Context()))
	for b, err := range s.Queue.Drain(t.Context()) {
		must(t, err)
		must(t, s.receive(b))
	}
	s.account(t, n)
}

// account compares what was acknowledged with what is there.
func (s *storm) account(t *testing.T, kills int) {
	t.Helper()
	var put, got, lost, extra int
	for place := range places {
		for n := range s.Next.Load(place) + 1 {
			id := place*ids + int(n)
			p, g := s.Put.Load(id), s.Got.Load(id)
			put += int(p)
			got += int(g)
			switch {
			case g > 1:
				t.Fatalf("item %d came %d times", id, g)
			case p == 1 && g == 0:
				lost++ // in the hands of a getter when it was killed
			case p == 0 && g == 1:
				extra++ // its putter was killed before it heard
			}
		}
	}
	t.Logf("%d put, %d received, %d in the hands of the killed, %d put by the killed", put, got, lost, extra)
	if put == 0 || lost+extra > kills {
		t.Errorf("%d + %d items of the killed in %d kills, at most one each", lost, extra, kills)
	}

	var updates, locks int64
	for place := range places {
		updates += s.Updates.Load(place)
		locks += s.Locks.Load(place)
	}
	w, err := s.Value.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if w.B != 2*w.A || w.C != 3*w.A || w.A < updates || w.A > updates+int64(kills) {
		t.Errorf("value %+v, acknowledged %d", w, updates)
	}
	if err := s.lock(t.Context()); err != nil { // repairs what the last kill has left
		t.Error(err)
	}
	g := s.Guarded.Elements()
	if kills >= 500 && s.Repairs.Load() == 0 {
		t.Error("no kill found anybody in the critical section")
	}
	t.Logf("%d updates, %d critical sections, %d repairs", w.A, locks, s.Repairs.Load())
	t.Logf("%d waits were ended by the re-check alone", s.Rescues.Load())
	if g[0] != g[1] || g[0] > locks+1 || g[0] < locks-int64(kills) {
		t.Errorf("guarded %d and %d, critical sections %d", g[0], g[1], locks)
	}
}
