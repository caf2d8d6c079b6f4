package mp

import (
	"context"
	"fmt"
	"sync"
	"unsafe"

	"multiproc/internal/codec"
	"multiproc/internal/fdbroker"
	"multiproc/internal/ring"
)

// elem moves values of one type through rings, each kind of type in its
// cheapest way: pointer-free values as their memory, byte slices and strings
// as they are, everything else through the codec.
type elem[T any] struct {
	c       *codec.Typed[T]
	raw     bool // values are records as they are in memory
	bare    bool // values are byte slices or strings: records without the codec
	handles bool // a value may mention handles
	size    int
	to      fdbroker.Carrier // what the records are in, for those with handles
}

func newElem[T any]() (elem[T], error) {
	c, err := codec.For[T]()
	if err != nil {
		return elem[T]{}, err
	}
	bare := c.Kind() == codec.Bytes || c.Kind() == codec.String
	return elem[T]{c: c, raw: c.Raw(), bare: bare, handles: c.HasHandles() || c.HasAny(), size: int(c.Size())}, nil
}

// config is what a ring of such elements is made with.
func (e *elem[T]) config(items int, bytes int64) ring.Config {
	return ring.Config{Fixed: e.raw, Size: e.size, Items: items, Bytes: max(bytes, int64(e.size), 8)}
}

// record is a bare value as a record.
func (e *elem[T]) record(v *T) (unsafe.Pointer, int) {
	if e.c.Kind() == codec.String {
		s := *(*string)(unsafe.Pointer(v))
		return unsafe.Pointer(unsafe.StringData(s)), len(s)
	}
	b := *(*[]byte)(unsafe.Pointer(v))
	if b == nil {
		return nil, ring.Nil
	}
	return unsafe.Pointer(unsafe.SliceData(b)), len(b)
}

// fill makes b, which is given away, the bare value at v.
func (e *elem[T]) fill(v *T, b []byte) {
	if e.c.Kind() == codec.String {
		*(*string)(unsafe.Pointer(v)) = unsafe.String(unsafe.SliceData(b), len(b))
	} else {
		*(*[]byte)(unsafe.Pointer(v)) = b
	}
}

// buffers are for records that the codec makes or reads.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// maxPooled is the largest buffer worth keeping.
const maxPooled = 1 << 20

func giveBack(p *[]byte, b []byte) {
	if cap(b) <= maxPooled {
		*p = b[:0]
		buffers.Put(p)
	}
}

// put puts a value that is not raw; what ring.Put and ring.TryPut have in
// common is in the caller's function.
func (e *elem[T]) put(ctx context.Context, f *family, v *T, put func(p unsafe.Pointer, n int) error) error {
	if e.bare {
		return put(e.record(v))
	}
	if e.handles {
		return e.putHandles(ctx, f, v, func(b []byte) error { return put(unsafe.Pointer(unsafe.SliceData(b)), len(b)) })
	}
	p := buffers.Get().(*[]byte)
	b := *p
	defer func() { giveBack(p, b) }()
	var err error
	if b, err = e.c.Append(b[:0], v, nil); err != nil {
		return err
	}
	return put(unsafe.Pointer(unsafe.SliceData(b)), len(b))
}

// get takes a value that is not raw. After an error of the ring nothing was
// taken; a record that cannot be decoded is gone, and the error says so.
func (e *elem[T]) get(ctx context.Context, f *family, r *ring.Ring, v *T) error {
	if e.bare {
		b, err := r.GetFresh(ctx)
		if err == nil {
			e.fill(v, b)
		}
		return err
	}
	if e.handles {
		return e.getHandles(ctx, f, r, v, func(b []byte) ([]byte, ring.Mark, bool, error) { return r.GetUnless(ctx, b, hasParcel) })
	}
	return e.getDecoded(v, func(b []byte) ([]byte, error) { return r.GetAppend(ctx, b) })
}

func (e *elem[T]) tryGet(ctx context.Context, f *family, r *ring.Ring, v *T) error {
	if e.bare {
		b, err := r.TryGetFresh()
		if err == nil {
			e.fill(v, b)
		}
		return err
	}
	if e.handles {
		return e.getHandles(ctx, f, r, v, func(b []byte) ([]byte, ring.Mark, bool, error) { return r.TryGetUnless(b, hasParcel) })
	}
	return e.getDecoded(v, r.TryGetAppend)
}

func (e *elem[T]) getDecoded(v *T, get func([]byte) ([]byte, error)) error {
	p := buffers.Get().(*[]byte)
	b, err := get((*p)[:0])
	defer func() { giveBack(p, b) }()
	if err != nil {
		return err
	}
	return e.decode(b, v, nil)
}

// decode decodes a record that was taken. in is nil where a value mentions no
// handles.
func (e *elem[T]) decode(b []byte, v *T, in *arrival) error {
	var session codec.Importer
	if in != nil {
		session = in
	}
	if err := e.c.Decode(b, v, session); err != nil {
		if in != nil {
			in.drop()
		}
		return fmt.Errorf("a record was taken that cannot be decoded: %w", err)
	}
	return nil
}
