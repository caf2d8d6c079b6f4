//go:build mpcrash

package crash

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"multiproc/internal/failpoint"
	"multiproc/internal/robust"
	"multiproc/mp"
)

// leaving is where a goroutine is when its process exits in order.
type leaving struct {
	Point string
	Q     *mp.Queue[int64]
}

var LeaveInside = mp.Proc(leaveInside)

func leaveInside(ctx context.Context, l leaving) error {
	hit := make(chan struct{})
	var fired atomic.Bool
	failpoint.SetHook(func(name string) {
		if name == l.Point && fired.CompareAndSwap(false, true) {
			close(hit)
			select {}
		}
	})
	go func() { _ = l.Q.Put(context.Background(), 7) }()
	<-hit
	return nil
}

// A process may return from its task while a goroutine of it has put an item and
// not yet woken the getter. The getter hears of it all the same: there is no
// re-check here.
func TestCleanExitInsideAPut(t *testing.T) {
	robust.SetRecheck(time.Hour, time.Hour)
	t.Cleanup(func() { robust.SetRecheck(100*time.Millisecond, 6400*time.Millisecond) })
	for _, point := range []string{"put.published", "put.unlocked", "event.bumped"} {
		t.Run(point, func(t *testing.T) {
			q, err := mp.NewQueue[int64](10)
			q = closing(t, q, err)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			got := make(chan error, 1)
			go func() {
				v, err := q.Get(ctx)
				if err == nil && v != 7 {
					err = fmt.Errorf("got %d", v)
				}
				got <- err
			}()
			for !inFutexWaitv() {
				runtime.Gosched()
			}
			p, err := LeaveInside.Start(context.Background(), leaving{point, q})
			must(t, err)
			must(t, p.Wait(ctx))
			if err := <-got; err != nil {
				t.Error(err)
			}
			if ctx.Err() != nil {
				t.Error("the getter found the item only when its timeLimit was over")
			}
		})
	}
}

// inFutexWaitv reports whether a thread of this process sleeps in futex_waitv.
func inFutexWaitv() bool {
	list, _ := os.ReadDir("/proc/self/task")
	for _, e := range list {
		b, _ := os.ReadFile("/proc/self/task/" + e.Name() + "/syscall")
		if strings.HasPrefix(string(b), "449 ") {
			return true
		}
	}
	return false
}
