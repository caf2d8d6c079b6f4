//go:build linux

package mp_test

import (
	"io"
	"testing"
	"time"

	"multiproc/internal/robust"
	"multiproc/mp"
)

// Who sleeps in Recv hears of the end by itself, and not by the bounded re-check,
// which is there for what nobody can announce.
func TestEndWakesTheSleeper(t *testing.T) {
	robust.SetRecheck(time.Hour, time.Hour)
	t.Cleanup(func() { robust.SetRecheck(100*time.Millisecond, 6400*time.Millisecond) })
	for name, end := range map[string]func(*mp.Conn[int, mp.None]) error{
		"Close":      (*mp.Conn[int, mp.None]).Close,
		"CloseWrite": (*mp.Conn[int, mp.None]).CloseWrite,
	} {
		for range 5 {
			recv, send := oneWay[int](t)
			ended := make(chan error)
			go func() { ended <- get2(recv.Recv(t.Context())) }()
			waiting(t, 1, "robust.(*gate).wait(", "robust.WaitAny(")
			must(t, end(send))
			select {
			case err := <-ended:
				if err != io.EOF {
					t.Fatalf("%s: %v", name, err)
				}
			case <-within(t, time.Minute).Done():
				t.Fatalf("%s: the sleeper did not hear of it", name)
			}
		}
	}
}
