package robust

import (
	"context"
	"runtime"
	"testing"
)

// The lead is handed to a waiter in the moment in which it gives up: it must
// pass it on to the next one.
func TestLeadHandedToOneThatGivesUp(t *testing.T) {
	gaveUp := 0
	for range 300 {
		g := &gate{leader: claimed}
		queued := func(n int) {
			for {
				g.mu.Lock()
				have := len(g.waiting)
				g.mu.Unlock()
				if have == n {
					return
				}
				runtime.Gosched()
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- g.lead(ctx) }()
		queued(1)
		go func() { second <- g.lead(context.Background()) }()
		queued(2)
		g.mu.Lock()
		cancel()
		for range 20 { // let the first get past its select, to the mutex
			runtime.Gosched()
		}
		g.leader = nil
		g.handOn()
		g.mu.Unlock()
		if err := <-first; err == nil { // it saw its turn and not the cancel
			g.mu.Lock()
			g.leader = nil
			g.handOn()
			g.mu.Unlock()
		} else {
			gaveUp++
		}
		if err := <-second; err != nil { // hangs if the lead was lost
			t.Fatal(err)
		}
	}
	t.Logf("gave up in the moment in %d of 300", gaveUp)
}
