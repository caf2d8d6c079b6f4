//go:build soak

package soak

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

type sender = *mp.Conn[int, mp.None]

type forwarding struct {
	From, To *mp.Queue[sender]
}

// Forward moves ends of pipes from one queue to another until the first is at
// its end.
var Forward = mp.Proc(func(ctx context.Context, f forwarding) error {
	for c, err := range f.From.Drain(ctx) {
		if err != nil {
			return err
		}
		if err := f.To.Put(ctx, c); err != nil {
			return err
		}
	}
	return nil
}, mp.Named("forward"))

// Forwarders are killed at any moment. Every end of a pipe that went through
// them ends, be it that it arrived, or that it went with them.
func TestForwardersKilled(t *testing.T) {
	const forwarders = 4
	fds := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(list)
	}
	warm, err := Nothing.Start(t.Context(), mp.None{})
	must(t, err)
	must(t, warm.Wait(t.Context()))
	before := fds()
	var f forwarding
	f.From, err = mp.NewQueue[sender](64)
	must(t, err)
	f.To, err = mp.NewQueue[sender](3) // so that puts wait
	must(t, err)
	stop, made := make(chan bool), make(chan []*mp.Conn[mp.None, int], 1)
	go func() {
		var all []*mp.Conn[mp.None, int]
		defer func() { made <- all }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			recv, send, err := mp.PipeOneWay[int]()
			if err == nil {
				all = append(all, recv)
				err = f.From.Put(context.Background(), send)
			}
			if err != nil {
				t.Error(err)
				return
			}
			for len(all) > 400 { // the oldest has arrived, or is gone
				if _, err := all[0].Recv(context.Background()); !errors.Is(err, io.EOF) && err != nil {
					t.Error(err)
					return
				}
				_ = all[0].Close()
				all = all[1:]
			}
		}
	}()
	arrived := make(chan int, 1)
	go func() {
		n := 0
		for c, err := range f.To.Drain(context.Background()) {
			if err != nil {
				t.Error(err)
				break
			}
			n++
			_ = c.Close()
		}
		arrived <- n
	}()
	start := func() *mp.Process[mp.None] {
		p, err := Forward.Start(context.Background(), f)
		must(t, err)
		return p
	}
	var list [forwarders]*mp.Process[mp.None]
	for i := range list {
		list[i] = start()
	}
	n := kills(t)
	for range n {
		i := rand.IntN(forwarders)
		<-time.After(time.Duration(rand.IntN(2000)) * time.Microsecond)
		must(t, list[i].Kill())
		_ = list[i].Wait(t.Context())
		list[i] = start()
	}
	close(stop)
	all := <-made
	must(t, f.From.CloseWrite(t.Context()))
	for _, p := range list {
		must(t, p.Wait(t.Context()))
	}
	must(t, f.To.CloseWrite(t.Context()))
	t.Logf("%d kills, %d ends arrived", n, <-arrived)
	held := 0
	for _, recv := range all {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := recv.Recv(ctx); !errors.Is(err, io.EOF) {
			held++
		}
		cancel()
		must(t, recv.Close())
	}
	if held > 0 {
		t.Errorf("%d ends are held by nobody who lives", held)
	}
	must(t, f.From.Close())
	must(t, f.To.Close())
	mptest.Eventually(t, func() bool { return fds() <= before }, "no more than %d descriptors are open", before)
}
