//go:build mpcrash

package crash

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(list)
}

// way is a pipe whose sending end goes through a queue.
type way struct {
	job
	recv *mp.Conn[mp.None, int]
	fds  int // of this process without the pipe
}

func newWay(t *testing.T, point string) way {
	t.Helper()
	w := way{job: newJob(t, point, 1)}
	w.fds = descriptors(t)
	var err error
	w.recv, w.Conn, err = mp.PipeOneWay[int]()
	must(t, err)
	return w
}

// over checks that nobody holds the end any more, nor any descriptor of it.
func (w way) over(t *testing.T) {
	t.Helper()
	begin := time.Now()
	if _, err := w.recv.Recv(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the death: %v, want io.EOF", err)
	}
	stalled(t, time.Since(begin))
	if _, err := w.Carrier.TryGet(t.Context()); !errors.Is(err, mp.ErrEmpty) {
		t.Errorf("in the queue: %v, want ErrEmpty", err)
	}
	must(t, w.recv.Close())
	mptest.Eventually(t, func() bool { return descriptors(t) <= w.fds }, "no descriptor is left of it")
}

// works takes the end out of the queue, and uses it up.
func (w way) works(t *testing.T, c *mp.Conn[int, mp.None]) {
	t.Helper()
	must(t, c.Send(t.Context(), 1))
	if v, err := w.recv.Recv(t.Context()); v != 1 || err != nil {
		t.Errorf("through the pipe: %d, %v", v, err)
	}
	must(t, c.Close())
}

// PutEnd puts the end of a pipe into a queue.
var PutEnd = mp.Proc(func(ctx context.Context, j job) error {
	mptest.Arm(j.Point, j.N)
	if err := j.Carrier.Put(ctx, j.Conn); err != nil {
		return err
	}
	return errAlive
}, mp.Named("put-end"))

// What is not committed was never put, also if it is in the queue.
func parcelPutter(t *testing.T, point string) {
	w := newWay(t, point)
	die(t, PutEnd, w.job)
	if point == "parcel.committed" {
		c, err := w.Carrier.Get(t.Context())
		must(t, err)
		must(t, w.Carrier.TaskDone(t.Context()))
		w.works(t, c)
	}
	w.over(t)
	must(t, w.Carrier.Join(t.Context())) // what was never put needs no TaskDone
}

// TakeEnd takes the end of a pipe out of a queue.
var TakeEnd = mp.Proc(func(ctx context.Context, j job) error {
	mptest.Arm(j.Point, j.N)
	if _, err := j.Carrier.Get(ctx); err != nil {
		return err
	}
	return errAlive
}, mp.Named("take-end"))

// What a process was taking when it died is gone with it. What is behind that
// is not.
func parcelTaker(t *testing.T, point string) {
	w, next := newWay(t, point), newWay(t, point)
	must(t, w.Carrier.Put(t.Context(), w.Conn))
	must(t, w.Carrier.Put(t.Context(), next.Conn))
	taker := w.job
	taker.Conn = nil
	die(t, TakeEnd, taker)
	mptest.Eventually(t, func() bool { return descriptors(t) <= next.fds+1 }, "the root has dropped what the dead was taking")
	c, err := w.Carrier.Get(t.Context())
	must(t, err)
	next.works(t, c)
	must(t, next.recv.Close())
	w.fds = next.fds - 2 // without the first pipe
	w.over(t)
}

// AnswerEnd returns the end of a pipe.
var AnswerEnd = mp.Func(func(_ context.Context, j job) (*mp.Conn[int, mp.None], error) {
	mptest.Arm(j.Point, j.N)
	return j.Conn, nil
}, mp.Named("answer-end"))

// An answer that is out counts, with all that is in it; one that is not holds
// nothing.
func answerer(t *testing.T, point string) {
	w := newWay(t, point)
	p, err := AnswerEnd.Start(t.Context(), w.job)
	must(t, err)
	c, err := p.Result(t.Context())
	if s := p.State(); s.Signal != syscall.SIGKILL {
		t.Fatalf("the victim did not come to the point: %v", s)
	}
	if point == "result.sent" {
		must(t, err)
		w.works(t, c)
	} else if err == nil {
		t.Error("a result of a process that was killed before it sent one")
	}
	w.over(t)
}
