package mp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"multiproc/internal/codec"
	"multiproc/internal/failpoint"
	"multiproc/internal/mperr"
	"multiproc/internal/ring"
	"multiproc/internal/shm"
	"multiproc/internal/table"
	"multiproc/mp/driver"
)

// params are the options in the header of a queue's segment.
func (o *leaseOptions) params() [2]uint64 { return [2]uint64{uint64(o.lease), uint64(o.attempts)} }

// lenders are the processes of a family, as those that items are lent to.
type lenders struct{ t *table.Table }

// Owner implements ring.Family: a generation more than the process's own, so that it is
// not 0.
func (f lenders) Owner() uint64 {
	self := f.t.Self()
	self.Gen++
	return self.Pack()
}

// LiveOwner implements ring.Family.
func (f lenders) LiveOwner(owner uint64) bool {
	ref := table.Unpack(owner)
	ref.Gen--
	return f.t.Live(ref)
}

// useLeases lets the ring lend, if its segment has room for that.
func (m *memoryQueue[T]) useLeases(f *family, r *ring.Ring, seg *shm.Segment, cfg ring.Config) error {
	off := queueData + cfg.DataSize()
	if seg.Size < off+cfg.LeaseDataSize() {
		return nil
	}
	l := ring.LeaseConfig{Time: int64(seg.Params[2]), Attempts: int(min(seg.Params[3], maxAttempts))}
	if l.Time <= 0 {
		l.Time = int64(driver.DefaultLease)
	}
	m.lending = true
	m.grave = &grave[T]{r: r, handles: m.e.handles}
	return r.UseLeases(unsafe.Add(m.Body(), ring.ControlSize), off, l, lenders{f.table}, m.grave.bury)
}

// grave is what a ring knows of the handle that it lends for: it outlives that, and must
// not refer to it.
type grave[T any] struct {
	r       *ring.Ring
	handles bool
	dead    *memoryQueue[T] // nil: there is none for dead letters
}

// deadLetters says where dead letters go.
func (m *memoryQueue[T]) deadLetters(to *memoryQueue[T]) {
	m.dead = to
	if m.grave != nil {
		m.grave.dead = to
	}
}

// refused says why a queue does not lend.
func (m *memoryQueue[T]) refused() error {
	return fmt.Errorf("%s: files of the process that made it may be too small for what is lent (ulimit -f): %w", m, errors.ErrUnsupported)
}

// Close implements queueBody.
func (m *memoryQueue[T]) Close() error {
	err := m.Memory.Close()
	if err == nil && m.dead != nil {
		err = m.dead.Close()
	}
	return err
}

// buryIn has dead letters go to another queue, of which m gets a handle of its own.
func (m *memoryQueue[T]) buryIn(dead *memoryQueue[T]) error {
	seg, release, err := dead.Borrow()
	if err != nil {
		return err
	}
	defer release()
	fd, err := seg.Dup()
	if err != nil {
		return err
	}
	own, err := shm.Open(fd, shm.Want{Kind: shm.KindQueue, Family: m.f.table.Family(), Fingerprint: m.e.c.Fingerprint()})
	if err != nil {
		return err
	}
	d := &memoryQueue[T]{e: m.e}
	if err := d.attach(m.f, own); err != nil {
		return err
	}
	if d.e.handles {
		m.f.broker.Hold(m.f.table.Self(), d.e.to, +1)
	}
	if dead.dead != nil {
		if err := d.buryIn(dead.dead); err != nil {
			_ = d.Close()
			return err
		}
	}
	m.deadLetters(d)
	return nil
}

// A queue does not travel without the one for its dead letters.

// companion implements accompanied.
func (q *Queue[T]) companion() traveller {
	if q.near == nil || q.near.dead == nil {
		return nil
	}
	return &Queue[T]{near: q.near.dead}
}

// accompany implements accompanied.
func (q *Queue[T]) accompany(attach func(traveller) error) error {
	c := &Queue[T]{}
	if err := attach(c); err != nil {
		return err
	}
	q.near.deadLetters(c.near)
	return nil
}

// errHandles is about items that mention handles: what is with the family's first process
// goes with the one who takes it, and so does a reference to an object in a place.
var errHandles = fmt.Errorf("queue: items with handles or files cannot be lent from memory; take them with Get, or have the queue in a manager, where handles to what is in it can be lent: %w", errors.ErrUnsupported)

// noHandles is the session of an item that is lent.
type noHandles struct{}

// Import implements codec.Importer.
func (noHandles) Import(codec.Handle, []byte) error { return errHandles }

// lends reports whether items can be lent.
func (m *memoryQueue[T]) lends() error {
	switch {
	case !m.lending:
		return m.refused()
	case m.e.c.HasHandles():
		return errHandles
	}
	return nil
}

func (m *memoryQueue[T]) receive(ctx context.Context, q *Queue[T], limit int) ([]*Delivery[T], error) {
	if ctx.Err() != nil {
		return nil, mperr.Ended(ctx)
	}
	return m.lend(ctx, q, func(sink func(ring.Lease, unsafe.Pointer, int)) error {
		_, err := m.r.Lend(ctx, limit, sink)
		return err
	})
}

// receiveNow is receive of one item where nothing stands in the way, else nil.
func (m *memoryQueue[T]) receiveNow(ctx context.Context, q *Queue[T]) *Delivery[T] {
	h := m.Hold()
	if h == nil || !m.e.raw || ctx.Err() != nil {
		return nil
	}
	m.owe()
	room, _ := m.room.Get().(*[]Delivery[T])
	switch {
	case room == nil:
		room = &[]Delivery[T]{}
		fallthrough
	case len(*room) == 0:
		*room = make([]Delivery[T], 1+together/int(unsafe.Sizeof(Delivery[T]{})))
	}
	d := &(*room)[0]
	lease, ok := m.r.LendQuickly(unsafe.Pointer(&d.Value))
	runtime.KeepAlive(h)
	if ok {
		*room = (*room)[1:]
		d.q, d.near, d.Attempt = q, lease, lease.Attempt()
	} else {
		d = nil
	}
	m.room.Put(room)
	return d
}

// together is how many bytes of deliveries are allocated at once, which costs less for
// each. All of them stay as long as one of them is in use.
const together = 512

func (m *memoryQueue[T]) tryReceive(ctx context.Context, q *Queue[T], limit int) ([]*Delivery[T], error) {
	if ctx.Err() != nil {
		return nil, mperr.Ended(ctx)
	}
	return m.lend(ctx, q, func(sink func(ring.Lease, unsafe.Pointer, int)) error {
		_, err := m.r.TryLend(limit, sink)
		return err
	})
}

// owe sees to it that others are told when this process ends, however it does.
func (m *memoryQueue[T]) owe() { m.f.table.Owe() }

// lend makes deliveries of what the ring lends.
func (m *memoryQueue[T]) lend(_ context.Context, q *Queue[T], lend func(func(ring.Lease, unsafe.Pointer, int)) error) ([]*Delivery[T], error) {
	if !m.Enter() {
		return nil, m.ErrClosed()
	}
	defer m.Exit()
	if err := m.lends(); err != nil {
		return nil, err
	}
	m.owe()
	var out []*Delivery[T]
	var room []Delivery[T] // some are allocated at once
	var failed error
	err := lend(func(l ring.Lease, p unsafe.Pointer, n int) {
		if len(room) == 0 {
			room = make([]Delivery[T], min(1+3*len(out), 64))
		}
		d := &room[0]
		room = room[1:]
		d.Attempt, d.q, d.near = l.Attempt(), q, l
		if err := m.e.copyOut(p, n, &d.Value); err != nil {
			failed = undecoded(err)
			return
		}
		out = append(out, d)
	})
	return out, cmp.Or(err, failed)
}

// copyOut makes a value of a record, which it copies.
func (e *elem[T]) copyOut(p unsafe.Pointer, n int, v *T) error {
	if e.raw {
		*v = *(*T)(p)
		return nil
	}
	if e.bare {
		var b []byte
		if n != ring.Nil {
			b = append([]byte{}, unsafe.Slice((*byte)(p), n)...)
		}
		e.fill(v, b)
		return nil
	}
	b := unsafe.Slice((*byte)(p), max(n, 0))
	if e.handles && hasParcel(b) {
		b = b[parcelSize:]
	}
	return e.c.Decode(b, v, noHandles{})
}

func (m *memoryQueue[T]) ack(ctx context.Context, ds []*Delivery[T]) (lost []*Delivery[T], err error) {
	if ctx.Err() != nil {
		return nil, mperr.Ended(ctx)
	}
	h := m.Hold()
	if h == nil {
		return nil, m.ErrClosed()
	}
	for _, d := range ds {
		if !m.r.Ack(d.near) {
			lost = append(lost, d)
		}
	}
	runtime.KeepAlive(h)
	if lost != nil {
		return lost, fmt.Errorf("%s: %w", m, ErrLeaseLost)
	}
	return nil, nil
}

func (m *memoryQueue[T]) ackOne(ctx context.Context, d *Delivery[T]) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	h := m.Hold()
	if h == nil {
		return m.ErrClosed()
	}
	ok := m.r.Ack(d.near)
	runtime.KeepAlive(h)
	if !ok {
		return fmt.Errorf("%s: %w", m, ErrLeaseLost)
	}
	return nil
}

func (m *memoryQueue[T]) nack(ctx context.Context, d *Delivery[T], delay time.Duration) error {
	return m.settle(ctx, func() (bool, error) { return m.r.Nack(ctx, d.near, int64(delay)) })
}

func (m *memoryQueue[T]) extend(ctx context.Context, d *Delivery[T], t time.Duration) error {
	return m.settle(ctx, func() (bool, error) { return m.r.Extend(ctx, d.near, int64(t)) })
}

func (m *memoryQueue[T]) settle(ctx context.Context, f func() (bool, error)) error {
	ok, err := call(ctx, &m.Memory, func() (bool, error) {
		if err := m.lends(); err != nil {
			return false, err
		}
		ok, err := f()
		if ok {
			m.buryNow(ctx)
		}
		return ok, err
	})
	if err == nil && !ok {
		err = fmt.Errorf("%s: %w", m, ErrLeaseLost)
	}
	return err
}

// buryNow buries what the call has doomed: whoever comes next would do it as well.
func (m *memoryQueue[T]) buryNow(ctx context.Context) {
	if m.dead != nil {
		_, _, _ = m.r.Count(ctx)
	}
}

func (m *memoryQueue[T]) leased(ctx context.Context) (int, error) {
	return call(ctx, &m.Memory, func() (int, error) {
		_, n, err := m.r.Count(ctx)
		return n, err
	})
}

// bury moves what is doomed to the dead letters. What they do not take is lent once
// more. A process that is killed between the two leaves an item in both queues. It
// reports false if this process has no handle to the dead letters.
func (g *grave[T]) bury() bool {
	if g.dead == nil {
		return false
	}
	var buf []byte
	for {
		l, rec, n, err := g.r.Doomed(context.Background(), buf[:0])
		if err != nil {
			return errors.Is(err, mperr.ErrEmpty)
		}
		buf = rec
		if !(g.handles && hasParcel(rec)) && g.dead.r.TryPut(unsafe.Pointer(unsafe.SliceData(rec)), n) == nil {
			failpoint.Hit("lease.buried")
			g.r.Ack(l)
		} else if g.r.Spare(context.Background(), l) != nil {
			return false
		}
	}
}
