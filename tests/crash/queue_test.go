//go:build mpcrash

package crash

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

// deed is what a victim does to a queue until it is killed at Point.
type deed struct {
	Point string
	N     int // the hit that kills
	Q     *mp.Queue[[]byte]
	First int
	Size  int
	Acked *mp.Counter // items that the victim's calls have returned for
	Got   *mp.RawArray[int32]
}

const enough = 4000 // operations after which a victim must be dead

// item is a record that shows when it is torn.
func item(id, size int) []byte {
	b := bytes.Repeat([]byte{byte(id*7 + 1)}, max(size, 8))
	binary.LittleEndian.PutUint64(b, uint64(id))
	return b
}

func whole(b []byte) (id int, err error) {
	if len(b) < 8 {
		return 0, fmt.Errorf("a record of %d bytes", len(b))
	}
	id = int(binary.LittleEndian.Uint64(b))
	if !bytes.Equal(b, item(id, len(b))) {
		return id, fmt.Errorf("record %d is torn", id)
	}
	return id, nil
}

var (
	Put       = mp.Proc(put)
	PutBatch  = mp.Proc(putBatch)
	PutSlowly = mp.Proc(putSlowly)
	Get       = mp.Proc(getAll)
	GetBatch  = mp.Proc(getBatch)
	PutGet    = mp.Proc(putGet)
	CloseIt   = mp.Proc(closeIt)
)

var errAlive = errors.New("the point was not reached")

func put(ctx context.Context, d deed) error {
	mptest.Arm(d.Point, d.N)
	for i := range enough {
		if err := d.Q.Put(ctx, item(d.First+i, d.Size)); err != nil {
			return err
		}
		d.Acked.Add(1)
	}
	return errAlive
}

// kilobyte is a record without pointers: batches of such are put in bursts.
type kilobyte [128]int64

func kilobytes(first, n int) []kilobyte {
	list := make([]kilobyte, n)
	for i := range list {
		for j := range list[i] {
			list[i][j] = int64(first + i)
		}
	}
	return list
}

type burst struct {
	Point string
	Q     *mp.Queue[kilobyte]
}

func putBatch(ctx context.Context, b burst) error {
	mptest.Arm(b.Point, 2)
	if _, err := b.Q.PutBatch(ctx, kilobytes(0, 500)); err != nil {
		return err
	}
	return errAlive
}

// putSlowly leaves the getters time to fall asleep.
func putSlowly(ctx context.Context, d deed) error {
	mptest.Arm(d.Point, d.N)
	for i := range enough {
		if err := d.Q.Put(ctx, item(d.First+i, d.Size)); err != nil {
			return err
		}
		d.Acked.Add(1)
		<-time.After(2 * time.Millisecond)
	}
	return errAlive
}

func getAll(ctx context.Context, d deed) error {
	mptest.Arm(d.Point, d.N)
	for {
		b, err := d.Q.Get(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", errAlive, err)
		}
		id, err := whole(b)
		if err != nil {
			return err
		}
		d.Got.Elements()[id]++
	}
}

func getBatch(ctx context.Context, d deed) error {
	mptest.Arm(d.Point, d.N)
	for {
		list, err := d.Q.GetBatch(ctx, 1000)
		if err != nil {
			return fmt.Errorf("%w: %w", errAlive, err)
		}
		for _, b := range list {
			id, err := whole(b)
			if err != nil {
				return err
			}
			d.Got.Elements()[id]++
		}
	}
}

// putGet keeps the ring nearly empty, so that it rewinds.
func putGet(ctx context.Context, d deed) error {
	mptest.Arm(d.Point, d.N)
	for i := range enough {
		if err := d.Q.Put(ctx, item(d.First+i, d.Size)); err != nil {
			return err
		}
		if _, err := d.Q.Get(ctx); err != nil {
			return err
		}
	}
	return errAlive
}

func closeIt(_ context.Context, d deed) error {
	mptest.Arm(d.Point, d.N)
	_ = d.Q.CloseWrite(context.Background())
	return errAlive
}

// yard is a queue with survivors at work on it.
type yard struct {
	deed
	got     map[int]int
	longest time.Duration
	putters chan error
	getters chan error
	stop    chan int
	own     int // items of the surviving putter
}

const (
	victims   = 0       // ids of the victims
	survivors = 100_000 // ids of the surviving putter
)

func newYard(t *testing.T, point string, n, size int, opts ...mp.Option) *yard {
	t.Helper()
	q, err := mp.NewQueue[[]byte](0, opts...)
	y := &yard{got: map[int]int{}, putters: make(chan error, 1), getters: make(chan error, 1), stop: make(chan int)}
	y.deed = deed{Point: point, N: n, Size: size, Q: closing(t, q, err)}
	c, err := mp.NewCounter(0)
	y.Acked = closing(t, c, err)
	a, err := mp.NewRawArray[int32](survivors)
	y.Got = closing(t, a, err)
	return y
}

// work starts a putter and a getter that live.
func (y *yard) work(ctx context.Context) {
	go func() {
		for {
			select {
			case <-y.stop:
				y.putters <- nil
				return
			default:
			}
			begin := time.Now()
			if err := y.Q.Put(ctx, item(survivors+y.own, 100)); err != nil {
				y.putters <- err
				return
			}
			y.longest = max(y.longest, time.Since(begin))
			y.own++
			<-time.After(100 * time.Microsecond)
		}
	}()
	go y.get(ctx)
}

func (y *yard) get(ctx context.Context) {
	for b, err := range y.Q.Drain(ctx) {
		if err == nil {
			var id int
			id, err = whole(b)
			y.got[id]++
		}
		if err != nil {
			y.getters <- err
			return
		}
	}
	y.getters <- nil
}

// settle ends the survivors' work and counts.
func (y *yard) settle(t *testing.T) {
	t.Helper()
	close(y.stop)
	must(t, <-y.putters)
	must(t, y.Q.CloseWrite(t.Context()))
	must(t, <-y.getters)
	stalled(t, y.longest)
	for i := range y.own {
		if n := y.got[survivors+i]; n != 1 {
			t.Fatalf("item %d of %d of the survivors came %d times", i, y.own, n)
		}
	}
	acked := int(y.Acked.Load())
	for i := range acked {
		if n := y.got[victims+i]; n != 1 {
			t.Fatalf("item %d was acknowledged to the victim, of %d, and came %d times", i, acked, n)
		}
	}
	for id, n := range y.got {
		if n > 1 {
			t.Fatalf("item %d came %d times", id, n)
		}
	}
}
