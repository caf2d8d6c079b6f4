package mp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"unsafe"

	"multiproc/internal/fdbroker"
	"multiproc/internal/local"
	"multiproc/internal/mperr"
	"multiproc/internal/ring"
	"multiproc/internal/shm"
)

// memoryQueue is a queue in this machine's memory: a ring.
type memoryQueue[T any] struct {
	local.Memory
	f       *family
	r       *ring.Ring
	e       elem[T]
	size    int
	max     int
	lending bool            // the segment has room for what is lent
	dead    *memoryQueue[T] // a handle of its own to where dead letters go; nil: nowhere
	grave   *grave[T]       // nil: it does not lend
	room    sync.Pool       // of *[]Delivery[T], see receiveNow
}

// newMemoryQueue makes a queue for n items.
func newMemoryQueue[T any](n int, o objectOptions) (*memoryQueue[T], error) {
	e, err := newElem[T]()
	if err != nil {
		return nil, err
	}
	q := &memoryQueue[T]{e: e}
	bytes, err := q.bound(n, o)
	if err != nil {
		return nil, err
	}
	cfg := q.e.config(n, bytes)
	params, lending := cfg.Params(), o.leaseOptions.params()
	size := queueData + cfg.DataSize()
	if whole := size + cfg.LeaseDataSize(); whole <= shm.MaxFile() {
		size = whole
	} else if o.leased || o.buried {
		return nil, fmt.Errorf("a queue that lends needs a memory file of %d bytes, which takes as much memory as is used of it, and files of this process may have %d: %w", whole, shm.MaxFile(), ErrTooLarge)
	}
	f, seg, err := newSegment(shm.KindQueue, e.c.Fingerprint(), size, [4]uint64{params[0], params[1], lending[0], lending[1]})
	if err != nil {
		return nil, err
	}
	if err := q.attach(f, seg); err != nil {
		return nil, err
	}
	if q.e.handles {
		f.broker.Hold(f.table.Self(), q.e.to, +1)
	}
	return q, nil
}

// bound is the byte bound: what MaxBytes says; else room for n elements of a
// type whose size is known; else the default.
func (q *memoryQueue[T]) bound(n int, o objectOptions) (int64, error) {
	switch {
	case o.given:
		return o.bytes, nil
	case n == 0 || !q.e.raw:
		return fitting(defaultBytes(defaultQueueBytes, usable()), func(bytes int64) int64 { return queueData + q.e.config(n, bytes).DataSize() }), nil
	}
	bytes := int64(n) * q.e.config(n, 0).RecordBytes()
	if bytes > ring.MaxBytes {
		return 0, fmt.Errorf("%d items of %d bytes; a queue holds %d bytes at most", n, q.e.size, int64(ring.MaxBytes))
	}
	return bytes, nil
}

// fitting is the default bound, or the part of it whose segment is as large as
// files of this process may be. size is the segment's. What cannot be is left
// for the kernel to refuse.
func fitting(bytes int64, size func(int64) int64) int64 {
	const least = 64 << 10
	most := shm.MaxFile()
	for bytes > least && size(bytes) > most {
		bytes /= 2
	}
	return bytes
}

// queueData is where a queue's records begin in its segment.
var queueData = shm.RoundPage(shm.HeaderSize + ring.ControlSize + ring.LeaseSize)

func (q *memoryQueue[T]) attach(f *family, seg *shm.Segment) error {
	cfg := ring.FromParams([2]uint64{seg.Params[0], seg.Params[1]})
	if cfg.Fixed != q.e.raw || (cfg.Fixed && cfg.Size != q.e.size) {
		_ = seg.Close()
		return fmt.Errorf("%s %s: records of another size: %w", seg.Kind, seg.ID, ErrCorrupt)
	}
	var r *ring.Ring
	abort := func() {
		if r != nil { // else the ring was refused
			r.Abort()
		}
	}
	q.e.to = fdbroker.Carrier{Object: seg.ID}
	var leave func()
	if q.e.handles {
		to := q.e.to
		leave = func() { f.broker.Hold(f.table.Self(), to, -1) }
	}
	if err := q.Adopt(seg, queueData, abort, leave); err != nil {
		return err
	}
	r, err := ring.New(seg, q.Body(), queueData, cfg)
	if err != nil {
		q.Rest.Leave = nil // who counted it for us gives it back
		_ = q.Close()
		return err
	}
	if err := q.useLeases(f, r, seg, cfg); err != nil {
		q.Rest.Leave = nil
		_ = q.Close()
		return err
	}
	q.f, q.r, q.size, q.max = f, r, q.e.size, cfg.Items
	q.Rest.Detach = r.Detach
	q.UseHold()
	return nil
}

func (q *memoryQueue[T]) put(ctx context.Context, v T) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	if q.putNow(&v) {
		return nil
	}
	if !q.Enter() {
		return q.ErrClosed()
	}
	var err error
	if q.e.raw {
		err = q.r.Put(ctx, unsafe.Pointer(&v), q.size)
	} else {
		w := v // escapes, where v must not
		err = q.e.put(ctx, q.f, &w, func(p unsafe.Pointer, n int) error { return q.r.Put(ctx, p, n) })
	}
	q.Exit()
	return err
}

// putNow puts if nothing stands in the way. It reports false if the value was
// not put, whyever.
func (q *memoryQueue[T]) putNow(v *T) (ok bool) {
	h := q.Hold()
	switch {
	case h == nil:
	case q.e.raw:
		ok = q.r.PutQuickly(unsafe.Pointer(v), q.size)
	case q.e.bare:
		ok = q.r.PutQuickly(q.e.record(v))
	}
	runtime.KeepAlive(h)
	return ok
}

// getNow gets if nothing stands in the way, a value whose memory is the record.
func (q *memoryQueue[T]) getNow(v *T) (ok bool) {
	if h := q.Hold(); h != nil && q.e.raw {
		ok = q.r.GetQuickly(unsafe.Pointer(v))
		runtime.KeepAlive(h)
	}
	return ok
}

func (q *memoryQueue[T]) tryPut(ctx context.Context, v T) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	if !q.Enter() {
		return q.ErrClosed()
	}
	var err error
	if q.e.raw {
		err = q.r.TryPut(unsafe.Pointer(&v), q.size)
	} else {
		w := v
		err = q.e.put(ctx, q.f, &w, q.r.TryPut)
	}
	q.Exit()
	return err
}

func (q *memoryQueue[T]) get(ctx context.Context) (v T, err error) {
	if ctx.Err() != nil {
		return v, mperr.Ended(ctx)
	}
	if q.getNow(&v) {
		return v, nil
	}
	if !q.Enter() {
		return v, q.ErrClosed()
	}
	if q.e.raw {
		err = q.r.Get(ctx, unsafe.Pointer(&v))
	} else {
		w := new(T)
		if err = q.e.get(ctx, q.f, q.r, w); err == nil {
			v = *w
		}
	}
	q.Exit()
	return v, err
}

func (q *memoryQueue[T]) tryGet(ctx context.Context) (v T, err error) {
	if ctx.Err() != nil {
		return v, mperr.Ended(ctx)
	}
	if !q.Enter() {
		return v, q.ErrClosed()
	}
	if q.e.raw {
		err = q.r.TryGet(unsafe.Pointer(&v))
	} else {
		w := new(T)
		if err = q.e.tryGet(ctx, q.f, q.r, w); err == nil {
			v = *w
		}
	}
	q.Exit()
	return v, err
}

// getAppend is for byte slices.
func (q *memoryQueue[T]) getAppend(ctx context.Context, buf []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return buf, mperr.Ended(ctx)
	}
	if h := q.Hold(); h != nil {
		out, _, ok := q.r.AppendQuickly(buf)
		runtime.KeepAlive(h)
		if ok {
			return out, nil
		}
	}
	if !q.Enter() {
		return buf, q.ErrClosed()
	}
	defer q.Exit()
	return q.r.GetAppend(ctx, buf)
}

func (q *memoryQueue[T]) putBatch(ctx context.Context, values []T) (int, error) {
	if ctx.Err() != nil {
		return 0, mperr.Ended(ctx)
	}
	if !q.Enter() {
		return 0, q.ErrClosed()
	}
	defer q.Exit()
	if q.e.raw {
		return q.r.PutMany(ctx, len(values), func(i int) (unsafe.Pointer, int) {
			return unsafe.Pointer(&values[i]), q.size
		})
	}
	if q.e.bare {
		return q.r.PutMany(ctx, len(values), func(i int) (unsafe.Pointer, int) { return q.e.record(&values[i]) })
	}
	return q.putEncoded(ctx, values)
}

// putEncoded encodes all values first, so that the lock is not held meanwhile.
// Values behind one that cannot be encoded are not put.
func (q *memoryQueue[T]) putEncoded(ctx context.Context, values []T) (int, error) {
	p := buffers.Get().(*[]byte)
	b := (*p)[:0]
	defer func() { giveBack(p, b) }()
	type bounds struct{ begin, end int }
	records := make([]bounds, 0, len(values))
	sessions := make([]export, 0, len(values))
	var failed error
	for i := range values {
		out := export{f: q.f, ctx: ctx, to: q.e.to}
		next, err := q.e.encode(b, &values[i], &out)
		if err != nil {
			out.rollback()
			failed = err
			break
		}
		records = append(records, bounds{len(next) - len(out.record(next[len(b):])), len(next)})
		b, sessions = next, append(sessions, out)
	}
	put, err := q.r.PutMany(ctx, len(records), func(i int) (unsafe.Pointer, int) {
		at := records[i]
		return unsafe.Pointer(unsafe.SliceData(b[at.begin:])), at.end - at.begin
	})
	for i := range sessions {
		if i < put {
			sessions[i].commit("")
		} else {
			sessions[i].rollback()
		}
	}
	if err == nil {
		err = failed
	}
	return put, err
}

// batchBytes is how much memory a batch takes before it has an item.
const batchBytes = 1 << 20

func (q *memoryQueue[T]) getBatch(ctx context.Context, limit int) ([]T, error) {
	if ctx.Err() != nil {
		return nil, mperr.Ended(ctx)
	}
	if !q.Enter() {
		return nil, q.ErrClosed()
	}
	defer q.Exit()
	if q.e.handles {
		return q.getEach(ctx, limit)
	}
	// As many as there seem to be, but not at the word of shared memory alone.
	out := make([]T, 0, min(limit, max(1, min(q.r.Len(), batchBytes/max(1, int(unsafe.Sizeof(*new(T))))))))
	var records [][]byte // copied out under the lock, decoded after it
	_, err := q.r.GetMany(ctx, limit, func(p unsafe.Pointer, n int) {
		if q.e.raw {
			out = append(out, *(*T)(p))
			return
		}
		var b []byte
		if n != ring.Nil {
			b = append([]byte{}, unsafe.Slice((*byte)(p), n)...)
		}
		records = append(records, b)
	})
	if err != nil {
		return nil, err
	}
	var failed error
	for _, b := range records {
		var v T
		if q.e.bare {
			q.e.fill(&v, b)
		} else if err := q.e.decode(b, &v, nil); err != nil {
			failed = err
			continue
		}
		out = append(out, v)
	}
	return out, failed
}

// getEach is GetBatch for items whose handles are fetched before they are
// taken. Once there is one, it waits for no other.
func (q *memoryQueue[T]) getEach(ctx context.Context, limit int) (out []T, err error) {
	for len(out) < limit {
		var v T
		if len(out) == 0 {
			err = q.e.get(ctx, q.f, q.r, &v)
		} else {
			err = q.e.tryGet(ctx, q.f, q.r, &v)
		}
		switch {
		case err == nil:
			out = append(out, v)
			continue
		case len(out) > 0 && (errors.Is(err, mperr.ErrEmpty) || errors.Is(err, io.EOF) || ctx.Err() != nil):
			return out, nil
		}
		return out, err
	}
	return out, nil
}

func (q *memoryQueue[T]) length(ctx context.Context) (int, error) {
	return call(ctx, &q.Memory, func() (int, error) {
		n, _, err := q.r.Count(ctx)
		return n, err
	})
}

func (q *memoryQueue[T]) full(ctx context.Context) (bool, error) {
	return call(ctx, &q.Memory, func() (bool, error) { return q.r.Full(), nil })
}

func (q *memoryQueue[T]) capacity() int { return q.max }

func (q *memoryQueue[T]) taskDone(ctx context.Context) error {
	_, err := call(ctx, &q.Memory, func() (None, error) { return None{}, q.r.Done(1) })
	return err
}

func (q *memoryQueue[T]) join(ctx context.Context) error {
	_, err := call(ctx, &q.Memory, func() (None, error) { return None{}, q.r.WaitDone(ctx) })
	return err
}

func (q *memoryQueue[T]) closeWrite(ctx context.Context) error {
	_, err := call(ctx, &q.Memory, func() (None, error) { return None{}, q.r.CloseWrite(ctx) })
	return err
}

func (q *memoryQueue[T]) source() (*waitSource, error) {
	if !q.Enter() {
		return nil, q.ErrClosed()
	}
	return lookAt(&q.Memory, q.r), nil
}

// call makes a call into memory that may have been given up.
func call[R any](ctx context.Context, m *local.Memory, f func() (R, error)) (R, error) {
	if ctx.Err() != nil {
		return *new(R), mperr.Ended(ctx)
	}
	if !m.Enter() {
		return *new(R), m.ErrClosed()
	}
	defer m.Exit()
	return f()
}
