//go:build mpcrash

package crash

import (
	"context"
	"errors"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

// labour is what those do who die with wait groups and onces.
type labour struct {
	Point string
	N     int
	Do    string
	W     *mp.WaitGroup
	O     *mp.Once
}

var Labour = mp.Proc(func(ctx context.Context, l labour) error {
	mptest.Arm(l.Point, l.N)
	for range enough {
		var err error
		switch l.Do {
		case "add":
			err = l.W.Add(ctx, 2)
		case "add and done":
			err = errors.Join(l.W.Add(ctx, 2), l.W.Add(ctx, -2))
		case "done":
			err = l.W.Done(ctx)
		case "take":
			err = l.W.Take(ctx)
		case "look":
			_, err = l.W.Count(ctx)
		case "once":
			err = l.O.Do(ctx, func() error { return nil })
		}
		if err != nil {
			return err
		}
	}
	return errAlive
}, mp.Named("labour"))

func newLabour(t *testing.T) labour {
	t.Helper()
	w, err := mp.NewWaitGroup()
	l := labour{W: closing(t, w, err)}
	o, err := mp.NewOnce()
	l.O = closing(t, o, err)
	return l
}

func (l labour) at(do, point string, n int) labour {
	l.Do, l.Point, l.N = do, point, n
	return l
}

// left checks that there is so much to do, does it, and reports whether Wait, which was
// called before or only then, says that something was lost.
func (l labour) left(t *testing.T, n int, early bool) (lost bool) {
	t.Helper()
	waits := make(chan error, 1)
	if early {
		go func() { waits <- l.W.Wait(t.Context()) }()
	}
	begin := time.Now()
	if got, err := l.W.Count(t.Context()); got != n || err != nil {
		t.Errorf("%d are left, %v, want %d", got, err, n)
	}
	must(t, l.W.Add(t.Context(), -n))
	if !early {
		waits <- l.W.Wait(t.Context())
	}
	err := <-waits
	stalled(t, time.Since(begin))
	var died *mp.OwnerDiedError
	if lost = errors.As(err, &died); !lost {
		must(t, err)
	}
	// The next round has nothing to do with it.
	must(t, errors.Join(l.W.Add(t.Context(), 1), l.W.Done(t.Context()), l.W.Wait(t.Context())))
	return lost
}

// adder dies when it adds, or when that is done: what it has added is lost, or was done, or
// it had added nothing.
func adder(t *testing.T, point string) {
	n := 5
	if point == "waitgroup.high" || point == "waitgroup.opened" {
		n = 1
	}
	for k := n; k < n+4 && (k == 1 || n > 1); k++ { // in Add and in Done
		l := newLabour(t)
		must(t, l.W.Add(t.Context(), 1))
		if point == "waitgroup.turned" {
			must(t, l.W.Done(t.Context()))
		}
		die(t, Labour, l.at("add and done", point, k))
		n := 1
		if point == "waitgroup.turned" {
			n = 0
		}
		lost := l.left(t, n, n > 0)
		if want := (point == "waitgroup.owed" || point == "waitgroup.counted" || point == "waitgroup.turned") && k%2 == 1; lost != want {
			t.Errorf("point %d: something was lost: %v, want %v", k, lost, want)
		}
	}
}

// doer dies when it does what another has added: it is done.
func doer(t *testing.T, point string) {
	l := newLabour(t)
	must(t, l.W.Add(t.Context(), 2))
	die(t, Labour, l.at("done", point, 1))
	if l.left(t, 1, true) {
		t.Error("what was done is lost")
	}
}

// addOrDo is both.
func addOrDo(t *testing.T, point string) {
	adder(t, point)
	doer(t, point)
}

// taker dies when it takes over what another has added: it is lost, or the other's.
func taker(t *testing.T, point string) {
	l := newLabour(t)
	must(t, l.W.Add(t.Context(), 2))
	die(t, Labour, l.at("take", point, 1))
	if point == "waitgroup.next" {
		if l.left(t, 2, true) {
			t.Error("what it had not taken is lost")
		}
		return
	}
	if !l.left(t, 1, true) {
		t.Error("nothing is lost")
	}
}

// loser dies when it closes the account of a dead process.
func loser(t *testing.T, point string) {
	for _, left := range []int{0, 1} {
		l := newLabour(t)
		if left > 0 {
			must(t, l.W.Add(t.Context(), left))
		}
		die(t, Labour, l.at("add", "waitgroup.counted", 1))
		die(t, Labour, l.at("look", point, 1))
		if !l.left(t, left, left > 0) {
			t.Error("nothing is lost")
		}
	}
}

// recounter dies when it counts again what the last holder of the lock left.
func recounter(t *testing.T, point string) {
	l := newLabour(t)
	must(t, l.W.Add(t.Context(), 1))
	die(t, Labour, l.at("add", "waitgroup.owed", 1))
	die(t, Labour, l.at("look", point, 1))
	if !l.left(t, 1, true) {
		t.Error("nothing is lost")
	}
}

// onceDoer dies when it has done it.
func onceDoer(t *testing.T, point string) {
	l := newLabour(t)
	die(t, Labour, l.at("once", point, 1))
	must(t, l.O.Do(t.Context(), func() error { return errors.New("it was done already") }))
}
