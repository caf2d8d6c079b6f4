package local

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/shm"
)

// Cell is the memory of a small object (Value, Counter, RawValue): one or a
// few pages that no slice ever points into.
//
// Its handles do not count the calls inside, as Memory does: two atomic adds are
// more than a whole Counter.Add should cost. A call loads the handle's pointer
// to the cell and keeps the cell alive until it returns; Close takes the
// pointer away, and the collector, which sees every call in progress, runs the
// cleanup that unmaps.
type Cell struct {
	seg *shm.Segment
	mem unsafe.Pointer
}

// NewCell maps the memory. detach, which may be nil, runs before it is
// unmapped, and must not refer to the handle.
func NewCell(seg *shm.Segment, size int64, detach func()) (*Cell, error) {
	mem, err := seg.Map(0, min(shm.RoundPage(size), seg.Size))
	if err != nil {
		_ = seg.Close()
		return nil, err
	}
	c := &Cell{seg: seg, mem: mem}
	made := MadeBy()
	runtime.AddCleanup(c, func(seg *shm.Segment) {
		if !unretire(seg) {
			ReportLeak(seg, made)
		}
		if detach != nil {
			detach()
		}
		_ = seg.Close()
	}, seg)
	return c, nil
}

// Small is what handles to cells have in common.
type Small struct {
	P      atomic.Pointer[Cell] // nil: closed, or never made
	closed atomic.Bool
}

// Borrow is as that of Memory.
func (s *Small) Borrow() (seg *shm.Segment, release func(), err error) {
	c := s.P.Load()
	if c == nil {
		return nil, nil, s.ErrGone()
	}
	return c.seg, func() { runtime.KeepAlive(c) }, nil
}

// ErrGone says why there is no memory: the handle was closed, or never made.
func (s *Small) ErrGone() error {
	if s.closed.Load() {
		return errSmallClosed
	}
	return ErrNoObject
}

var errSmallClosed = fmt.Errorf("multiproc: value or counter: %w", mperr.ErrClosed)

// Close gives back this process's handle; later calls that return an error
// return ErrClosed, the others panic with it. The object lives for as long as
// another handle to it exists in any process. A second Close returns ErrClosed.
func (s *Small) Close() error {
	c := s.P.Swap(nil)
	if c == nil {
		return s.ErrGone()
	}
	s.closed.Store(true)
	retire(c.seg)
	return nil
}

// String names the object in messages.
func (s *Small) String() string {
	c := s.P.Load()
	if c == nil {
		return s.ErrGone().Error()
	}
	defer runtime.KeepAlive(c)
	return fmt.Sprintf("%s %s", c.seg.Kind, c.seg.ID)
}

// Cell returns the memory, or panics if the handle was closed. The caller
// keeps the cell alive until it no longer touches the memory.
func (s *Small) Cell() *Cell {
	c := s.P.Load()
	if c == nil {
		panic(s.ErrGone())
	}
	return c
}

// Body is the object's own memory at off, behind the header.
func (c *Cell) Body(off uintptr) unsafe.Pointer { return unsafe.Add(c.mem, shm.HeaderSize+off) }
