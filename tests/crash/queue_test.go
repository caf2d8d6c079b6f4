//go:build mpcrash

package crash

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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
		d.Got.Slice()[id]++
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
			d.Got.Slice()[id]++
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
	_ = d.Q.CloseWrite()
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
	for b, err := range y.Q.All(ctx) {
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
	must(t, y.Q.CloseWrite())
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

func putter(t *testing.T, point string) {
	size, n := 100, 2
	if point == "put.grow.flushed" || point == "put.grow.start" || point == "put.grow.ended" || point == "put.grown" {
		size, n = 60_000, 1
	}
	y := newYard(t, point, n, size)
	y.work(t.Context())
	die(t, Put, y.deed)
	y.settle(t)
	if extra := y.victims() - int(y.Acked.Load()); extra > 1 {
		t.Errorf("%d items more than were acknowledged", extra)
	}
}

// victims counts what came of the victim's items.
func (y *yard) victims() (n int) {
	for id := range y.got {
		if id < survivors {
			n++
		}
	}
	return n
}

// What is there of an unfinished batch is its beginning.
func batchPutter(t *testing.T, point string) {
	q, err := mp.NewQueue[kilobyte](0)
	closing(t, q, err)
	die(t, PutBatch, burst{point, q})
	begin := time.Now()
	must(t, q.Put(t.Context(), kilobytes(1000, 1)[0]))
	stalled(t, time.Since(begin))
	n := q.Len()
	if n < 2 || n > 500 {
		t.Errorf("%d records, want a part of the batch and one more", n)
	}
	for i := range n {
		r, err := q.TryGet()
		must(t, err)
		want := i
		if i == n-1 {
			want = 1000
		}
		if r != kilobytes(want, 1)[0] {
			t.Fatalf("record %d is %d … %d", i, r[0], r[127])
		}
	}
}

// A putter that has said that there is something, and woken nobody.
func waker(t *testing.T, point string) {
	y := newYard(t, point, 3, 100)
	go y.get(t.Context())
	_, death := die(t, PutSlowly, y.deed)
	// What it had put comes to the getter that sleeps.
	mptest.Eventually(t, y.Q.Empty, "the sleeping getter took what the victim had put")
	stalled(t, time.Since(death))
	must(t, y.Q.CloseWrite())
	must(t, <-y.getters)
	if n, acked := y.victims(), int(y.Acked.Load()); n < acked || n > acked+1 {
		t.Errorf("%d items, %d were acknowledged", n, acked)
	}
}

func rewinder(t *testing.T, point string) {
	y := newYard(t, point, 1, 10_000)
	must(t, put2(t.Context(), y, 20)) // beyond the first area, which is too small to rewind
	for range 20 {
		_, err := y.Q.Get(t.Context())
		must(t, err)
	}
	die(t, PutGet, y.deed)
	begin := time.Now()
	for i := range 100 {
		must(t, y.Q.Put(t.Context(), item(survivors+i, 9_000)))
	}
	stalled(t, time.Since(begin))
	if n := y.Q.Len(); n != 100 {
		t.Fatalf("%d items, want 100", n)
	}
	for i := range 100 {
		b, err := y.Q.Get(t.Context())
		must(t, err)
		if id, err := whole(b); id != survivors+i || err != nil {
			t.Fatalf("item %d: %d, %v", i, id, err)
		}
	}
}

func getter(t *testing.T, point string) {
	const n = 600
	y := newYard(t, point, 3, 1000)
	if point == "get.punched" || point == "get.entered" || point == "event.entered" {
		y.N = 1
	}
	if point != "event.entered" {
		// 600 kB: over three generations, so that the victim comes to enter one.
		must(t, put2(t.Context(), y, n))
	}
	y.Acked.Store(0)
	p, err := Get.Start(context.Background(), y.deed)
	must(t, err)
	killed(t, p)
	begin := time.Now()
	if point == "event.entered" {
		must(t, put2(t.Context(), y, n))
	}
	first, err := y.Q.Get(t.Context())
	must(t, err)
	stalled(t, time.Since(begin))
	id, err := whole(first)
	must(t, err)
	y.got[id]++
	must(t, y.Q.CloseWrite())
	go y.get(t.Context())
	must(t, <-y.getters)
	missing := 0
	for i := range n {
		switch y.got[i] + int(y.Got.Load(i)) {
		case 1:
		case 0:
			missing++
		default:
			t.Fatalf("item %d came twice", i)
		}
	}
	if missing > 1 {
		t.Errorf("%d items are gone with the victim, at most the one in its hands may be", missing)
	}
}

func put2(ctx context.Context, y *yard, n int) error {
	for i := range n {
		if err := y.Q.Put(ctx, item(i, y.Size)); err != nil {
			return err
		}
	}
	return nil
}

// A batch that crosses into the next generation takes what is behind it in
// two steps; the first part is then in the victim's hands.
func batchGetter(t *testing.T, point string) {
	const n = 600
	y := newYard(t, point, 1, 1000)
	must(t, put2(t.Context(), y, n))
	die(t, GetBatch, y.deed)
	must(t, y.Q.CloseWrite())
	begin := time.Now()
	go y.get(t.Context())
	must(t, <-y.getters)
	stalled(t, time.Since(begin))
	first := n
	for i := range n {
		if y.got[i] > 1 {
			t.Fatalf("item %d came twice", i)
		}
		if y.got[i] == 1 {
			first = min(first, i)
		} else if i > first {
			t.Fatalf("item %d is gone, and came after one that is there", i)
		}
	}
}

func closer(t *testing.T, point string) {
	y := newYard(t, point, 1, 10)
	must(t, y.Q.Put(t.Context(), item(1, 10)))
	waiting := make(chan error, 1)
	die(t, CloseIt, y.deed)
	go func() {
		_, err1 := y.Q.Get(context.Background())
		_, err2 := y.Q.Get(context.Background())
		waiting <- errors.Join(err1, err2)
	}()
	begin := time.Now()
	if err := <-waiting; !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	stalled(t, time.Since(begin))
	if err := y.Q.Put(t.Context(), nil); !errors.Is(err, mp.ErrClosed) {
		t.Errorf("Put: %v", err)
	}
}

// The one who mends what the first victim has left dies of it, too.
func putHeir(t *testing.T, point string) {
	y := newYard(t, "put.copied", 1, 100)
	die(t, Put, y.deed)
	y.Point = point
	die(t, Put, y.deed)
	y.work(t.Context())
	y.settle(t)
	if n := y.victims(); n != 0 {
		t.Errorf("%d items of those who died before they had put any", n)
	}
}

func getHeir(t *testing.T, point string) {
	y := newYard(t, "get.copied", 1, 100)
	must(t, put2(t.Context(), y, 10))
	die(t, Get, y.deed)
	y.Point = point
	die(t, Get, y.deed)
	must(t, y.Q.CloseWrite())
	begin := time.Now()
	go y.get(t.Context())
	must(t, <-y.getters)
	stalled(t, time.Since(begin))
	if len(y.got) != 10 {
		t.Errorf("%d of 10 items, none was taken", len(y.got))
	}
}
