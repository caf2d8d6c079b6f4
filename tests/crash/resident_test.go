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

// throng is one mutex that is used all the time, by a process that has more locks than
// can be used in the short way.
type throng struct {
	Point string
	N     int
	M     *mp.Mutex
}

// Throng uses the mutex, while others ask for its place.
var Throng = mp.Proc(func(ctx context.Context, x throng) error {
	others := make([]*mp.Mutex, 1600)
	for i := range others {
		var err error
		if others[i], err = mp.NewMutex(); err != nil {
			return err
		}
	}
	use := func(m *mp.Mutex, n int) error {
		for range n {
			if err := m.Lock(ctx); err != nil {
				return err
			}
			m.Unlock()
		}
		return nil
	}
	mptest.Arm(x.Point, x.N)
	failed := make(chan error, 1)
	go func() {
		for {
			for _, m := range others {
				if err := use(m, 65); err != nil {
					failed <- err
					return
				}
			}
		}
	}()
	for {
		select {
		case err := <-failed:
			return err
		default:
			if err := use(x.M, 100); err != nil {
				return err
			}
		}
	}
}, mp.Named("throng"))

// thronged dies when a lock has lost its place: nobody holds it, or the heir is told.
func thronged(t *testing.T, point string) {
	m, err := mp.NewMutex()
	x := throng{Point: point, N: 1, M: closing(t, m, err)}
	die(t, Throng, x)
	begin := time.Now()
	err = m.Lock(t.Context())
	stalled(t, time.Since(begin))
	var died *mp.OwnerDiedError
	if errors.As(err, &died) {
		must(t, m.Repair(t.Context(), func() error { return nil }))
		err = m.Lock(t.Context())
	}
	must(t, err)
	m.Unlock()
}
