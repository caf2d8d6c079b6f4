package ledger

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/table"
)

// lines are handles of so many processes to one line. The test has the lock.
func lines(t *testing.T, n uint32) (all *people, cs []*Cond) {
	t.Helper()
	m := memory(t, CondSize)
	all = &people{dead: map[table.Ref]bool{}}
	for slot := range n {
		c := &Cond{}
		c.Attach(m, one{all, table.Ref{Slot: slot}})
		cs = append(cs, c)
	}
	return all, cs
}

func join(t *testing.T, c *Cond) Waiter {
	t.Helper()
	w, err := c.Join()
	must(t, err)
	return w
}

// Who came first is signalled first, if he lives; what a dead one had goes on.
func TestCondLine(t *testing.T) {
	all, cs := lines(t, 4)
	var ws []Waiter
	for _, i := range []int{2, 1, 3, 1, 0} {
		ws = append(ws, join(t, cs[i]))
	}
	signalled := func(what string, want ...bool) {
		t.Helper()
		for i, w := range ws {
			if w.signalled() != want[i] {
				t.Errorf("%s: waiter %d is signalled: %v", what, i, !want[i])
			}
		}
	}
	cs[0].Signal()
	signalled("the first", true, false, false, false, false)
	all.dies(table.Ref{Slot: 2}) // signalled, and has not used it
	all.dies(table.Ref{Slot: 3}) // in the middle
	cs[0].begin()                // it is told
	cs[0].look()
	signalled("passed on", true, true, true, false, false) // 2 is out
	cs[0].Abandon(ws[1])
	signalled("given up with a signal", true, true, true, true, false)
	if !cs[1].Leave(ws[3]) || cs[0].Leave(ws[4]) {
		t.Error("one that was signalled, and one that was not")
	}
	if n := cs[0].Waiting(); n != 0 || cs[0].m.high != 0 {
		t.Errorf("%d wait, of %d", n, cs[0].m.high)
	}
	cs[0].Signal() // to nobody
	ws = []Waiter{join(t, cs[0]), join(t, cs[1]), join(t, cs[0])}
	cs[1].Broadcast()
	signalled("all", true, true, true)
}

// Who sleeps is woken by its signal, and by nothing else.
func TestCondWakes(t *testing.T) {
	robust.SetRecheck(time.Hour, time.Hour)
	defer robust.SetRecheck(100*time.Millisecond, 6400*time.Millisecond)
	_, cs := lines(t, 3)
	for _, tell := range []func(){cs[2].Signal, cs[2].Broadcast} {
		got := [2]chan error{make(chan error), make(chan error)}
		for i := range got {
			w := join(t, cs[i])
			go func() {
				err := cs[i].Wait(t.Context(), w)
				got[i] <- err
			}()
			for !cs[i].bell.Waiting() {
				runtime.Gosched()
			}
		}
		<-time.After(5 * time.Millisecond) // the first sleep is short, and needs nobody
		tell()
		must(t, <-got[0])
		cs[2].Broadcast()
		must(t, <-got[1])
		cs[2].m.waiters[0].word, cs[2].m.waiters[1].word = 0, 0 // they have left
	}
	ended, cancel := context.WithCancel(t.Context())
	w := join(t, cs[0])
	cancel()
	if err := cs[0].Wait(ended, w); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	cs[0].Abort()
	if err := cs[0].Wait(t.Context(), w); !errors.Is(err, mperr.ErrClosed) {
		t.Error(err)
	}
}

// There is an end to the line.
func TestCondLimit(t *testing.T) {
	_, cs := lines(t, 1)
	cs[0].m.high = maxWaiters
	for i := range cs[0].m.waiters {
		cs[0].m.waiters[i].word = 1<<62 | waits
	}
	if _, err := cs[0].Join(); !errors.Is(err, mperr.ErrLimit) {
		t.Error(err)
	}
}
