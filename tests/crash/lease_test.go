//go:build mpcrash

package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

// Receive does to leased items all that can be done, until it is killed.
var Receive = mp.Proc(receive)

// What is lent in these tests: of several tables, the last of which gives pages back.
var leasedSizes = []int{100, 300, 20, 40_000}

const leasedItems = 400

func receive(ctx context.Context, d deed) error {
	mptest.Arm(d.Point, d.N)
	done := d.Got.Elements()
	for i := range enough {
		x, err := d.Q.Receive(ctx)
		if err != nil {
			return err
		}
		id, err := whole(x.Value)
		if err != nil {
			return err
		}
		switch i % 6 {
		case 0, 1:
			err = x.Ack(ctx)
			done[id]++
		case 2:
			err = x.Nack(ctx, 0)
		case 3:
			err = x.Nack(ctx, time.Millisecond)
		case 4:
			err = x.Extend(ctx, time.Microsecond) // it runs out
		case 5:
			if err = x.Nack(ctx, 0); err == nil && d.Point == "lease.got" {
				var b []byte
				if b, err = d.Q.Get(ctx); err == nil {
					id, err = whole(b)
					done[id]++
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return errAlive
}

// newLeased is a yard whose queue is full of items to be lent, and has dead letters for
// which there is little room.
func newLeased(t *testing.T, point string, n int) (y *yard, dead *mp.Queue[[]byte]) {
	t.Helper()
	q, err := mp.NewQueue[[]byte](2)
	dead = closing(t, q, err)
	y = newYard(t, point, n, 0, mp.WithLease(time.Hour), mp.WithDeadLetter(dead, 3))
	for id := range leasedItems {
		must(t, y.Q.Put(t.Context(), item(id, leasedSizes[id%len(leasedSizes)])))
	}
	must(t, y.Q.CloseWrite(t.Context()))
	return y, dead
}

// receiver is killed at the n-th hit. All that it has not acknowledged is there.
func receiver(t *testing.T, point string) {
	for _, n := range []int{1, 2, 7} {
		if n > 1 && slices.Contains([]string{"lease.grown", "lease.buried"}, point) {
			n = 2
		}
		y, dead := newLeased(t, point, n)
		_, death := die(t, Receive, y.deed)
		y.allAcknowledged(t, dead, death)
	}
}

// leaseHeir is killed as it mends what another has left who died while it lent a record.
func leaseHeir(t *testing.T, point string) {
	y, dead := newLeased(t, "lease.noted", 20)
	die(t, Receive, y.deed)
	y.Point, y.N = point, 1
	_, death := die(t, Receive, y.deed)
	y.allAcknowledged(t, dead, death)
}

// allAcknowledged receives and acknowledges what is left, and checks that each item is
// acknowledged, or dead, once. One may be gone that the victim was just done with, and
// one be twice there that it has just buried.
func (y *yard) allAcknowledged(t *testing.T, dead *mp.Queue[[]byte], death time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	first := true
	for {
		x, err := y.Q.Receive(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		if first {
			stalled(t, time.Since(death))
			first = false
		}
		id, err := whole(x.Value)
		must(t, err)
		must(t, x.Ack(ctx))
		y.got[id]++
	}
	for {
		b, err := dead.TryGet(ctx)
		if errors.Is(err, mp.ErrEmpty) {
			break
		}
		must(t, err)
		id, err := whole(b)
		must(t, err)
		y.got[id]++
	}
	gone, twice := 0, 0
	if slices.Contains([]string{"lease.acked", "lease.trimmed", "lease.got"}, y.Point) {
		gone = 1
	}
	if y.Point == "lease.buried" {
		twice = 1
	}
	for id := range leasedItems {
		switch n := y.got[id] + int(y.Got.Elements()[id]); {
		case n == 0 && gone > 0:
			gone--
		case n == 2 && twice > 0:
			twice--
		case n != 1:
			t.Errorf("item %d was acknowledged, or dead, %d times", id, n)
		}
	}
	n, err := y.Q.Leased(ctx)
	if err != nil || n != 0 {
		t.Errorf("%d items are lent at the end: %v", n, err)
	}
	if y.Point != "lease.got" {
		if err := y.Q.Join(ctx); err != nil {
			t.Errorf("join: %v", err)
		}
	}
	if t.Failed() {
		fmt.Println("killed at", y.Point, y.N)
	}
}
