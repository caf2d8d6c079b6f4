//go:build linux

package mp_test

import (
	"context"
	"io"
	"testing"
	"time"

	"multiproc/mp"
)

// Who sleeps in Recv hears of the end at once, and not by the bounded re-check
// (100 ms at first), which is there for what nobody can announce.
func TestEndWakesTheSleeper(t *testing.T) {
	for name, end := range map[string]func(*mp.Conn[int, mp.None]) error{
		"Close":      (*mp.Conn[int, mp.None]).Close,
		"CloseWrite": (*mp.Conn[int, mp.None]).CloseWrite,
	} {
		best := time.Hour
		for range 5 {
			recv, send := oneWay[int](t)
			ended := make(chan error)
			go func() { ended <- get2(recv.Recv(context.Background())) }()
			<-within(t, short).Done() // it sleeps by now
			begin := time.Now()
			must(t, end(send))
			if err := <-ended; err != io.EOF {
				t.Fatalf("%s: %v", name, err)
			}
			best = min(best, time.Since(begin))
		}
		if best > 40*time.Millisecond {
			t.Errorf("%s: the sleeper heard of it after %v at best", name, best)
		}
	}
}
