//go:build soak

package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"multiproc/internal/robust"
	"multiproc/mp"
)

// pair is two processes that hand each other one item at a time, so that a
// wake-up that is lost is not made good by the next one.
type pair struct {
	Kind    string
	A, B    *mp.Queue[int]
	Other   *mp.Queue[int] // of Select
	Mutex   *mp.Mutex
	Count   *mp.RawArray[int64]
	Second  bool
	Rounds  *mp.Counter
	Rescues *mp.Counter
	Stop    *mp.Counter
}

// Play plays one side of a pair.
var Play = mp.Proc(play, mp.Named("play"))

func play(ctx context.Context, p pair) error {
	countRescues(p.Rescues)
	in, out := p.A, p.B
	if p.Second {
		in, out = out, in
	}
	a, err := p.A.Len(ctx)
	if err != nil {
		return err
	}
	b, err := p.B.Len(ctx)
	if err != nil {
		return err
	}
	if a+b == 0 { // the item is with the other, or has died with the last one
		_ = out.TryPut(ctx, 1)
	}
	for p.Stop.Load() == 0 {
		// Whoever waits in vain for so long has lost the item with the other.
		timeLimit, cancel := context.WithTimeout(ctx, time.Second)
		err := p.turn(timeLimit, in, out)
		cancel()
		var died *mp.OwnerDiedError
		switch {
		case errors.As(err, &died):
			err = p.Mutex.Repair(ctx, func() error { return nil })
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && p.Stop.Load() == 0:
			if err = out.TryPut(ctx, 1); errors.Is(err, mp.ErrFull) {
				err = nil
			}
		}
		if err != nil {
			return nil // the end
		}
		p.Rounds.Add(1)
	}
	return nil
}

func (p *pair) turn(ctx context.Context, in, out *mp.Queue[int]) error {
	switch p.Kind {
	case "mutex":
		if err := p.Mutex.Lock(ctx); err != nil {
			return err
		}
		defer p.Mutex.Unlock()
		for begin := time.Now(); time.Since(begin) < 30*time.Microsecond; {
		}
		return nil
	case "select":
		ready, err := mp.Select(ctx, p.Other, in)
		if err != nil {
			return err
		}
		if len(ready) == 0 {
			return nil
		}
	}
	n, err := in.Get(ctx)
	if err != nil {
		return err
	}
	return out.Put(ctx, n)
}

// countRescues counts, and says where, the waits of this process that only the
// re-check ends.
func countRescues(n *mp.Counter) {
	robust.OnRescue(func() {
		n.Add(1)
		fmt.Fprintf(os.Stderr, "nobody woke this one:\n%s\n", debug.Stack())
	})
}

// No wait of the living is left to the bounded re-check, however many die.
func TestNobodyIsRescued(t *testing.T) {
	rescues, err := mp.NewCounter(0)
	rescues = closing(t, rescues, err)
	stop, err := mp.NewCounter(0)
	stop = closing(t, stop, err)
	rounds, err := mp.NewCounter(0)
	rounds = closing(t, rounds, err)
	m, err := mp.NewMutex()
	m = closing(t, m, err)
	var sides []pair
	var queues []io.Closer
	for _, kind := range []string{"queue", "select", "mutex"} {
		p := pair{Kind: kind, Mutex: m, Rescues: rescues, Stop: stop, Rounds: rounds}
		for _, q := range []**mp.Queue[int]{&p.A, &p.B, &p.Other} {
			made, err := mp.NewQueue[int](2)
			must(t, err)
			*q, queues = made, append(queues, made)
		}
		other := p
		other.Second = true
		sides = append(sides, p, other)
	}
	start := func(i int) *mp.Process[mp.None] {
		p, err := Play.Start(context.Background(), sides[i])
		must(t, err)
		return p
	}
	var list []*mp.Process[mp.None]
	for i := range sides {
		list = append(list, start(i))
	}
	n := kills(t) / 20
	for range n {
		// A death wakes all who sleep: what its own confusion has left behind shows
		// before the next one, after the first pause of the re-check.
		<-time.After(time.Duration(120+rand.IntN(40)) * time.Millisecond)
		i := rand.IntN(len(list))
		must(t, list[i].Kill())
		_ = list[i].Wait(t.Context())
		list[i] = start(i)
	}
	stop.Add(1)
	for _, q := range queues {
		must(t, q.Close())
	}
	for _, p := range list {
		must(t, p.Wait(t.Context()))
	}
	t.Logf("%d kills, %d turns, %d waits that only the re-check ended", n, rounds.Load(), rescues.Load())
	// Where the processors are taken away for as long, something may come just when
	// somebody looks again.
	if rescues.Load() > int64(1+n/200) {
		t.Errorf("%d waits were ended by the re-check alone", rescues.Load())
	}
}
