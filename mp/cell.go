package mp

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/shm"
)

// cell is the memory of a small object (Value, Counter, RawValue): one or a
// few pages that no slice ever points into.
//
// Its handles do not count who is inside, as object does: two atomic adds are
// more than a whole Counter.Add should cost. A call loads the handle's pointer
// to the cell and keeps the cell alive until it returns; Close takes the
// pointer away, and the collector, which sees every call in progress, runs the
// cleanup that unmaps.
type cell struct {
	seg *shm.Segment
	mem unsafe.Pointer
}

// retired counts cells that were closed and not yet unmapped.
var retired atomic.Int64

// maxRetired bounds them: a process may have 65 530 mappings.
const maxRetired = 4096

// newCell maps the memory. detach, which may be nil, runs before it is
// unmapped, and must not refer to the handle.
func newCell(seg *shm.Segment, size int64, detach func()) (*cell, error) {
	mem, err := seg.Map(0, min(shm.RoundPage(size), seg.Size))
	if err != nil {
		_ = seg.Close()
		return nil, err
	}
	c := &cell{seg: seg, mem: mem}
	made := madeBy()
	runtime.AddCleanup(c, func(seg *shm.Segment) {
		if seg.FD() < 0 {
			retired.Add(-1)
		} else {
			reportLeak(seg, made)
		}
		if detach != nil {
			detach()
		}
		_ = seg.Close()
	}, seg)
	return c, nil
}

func (c *cell) retire() {
	c.seg.ReleaseFD()
	if retired.Add(1)%maxRetired == 0 {
		runtime.GC()
	}
}

// small is what handles to cells have in common.
type small struct {
	p      atomic.Pointer[cell]
	closed atomic.Bool
}

// MultiprocHandle marks the type as one that may travel between processes.
func (s *small) MultiprocHandle() {}

func (s *small) side() byte { return 0 }

func (s *small) borrow() (*shm.Segment, func(), error) {
	c := s.p.Load()
	if c == nil {
		return nil, nil, s.errGone()
	}
	return c.seg, func() { runtime.KeepAlive(c) }, nil
}

// errGone says why there is no memory: the handle was closed, or never made.
func (s *small) errGone() error {
	if s.closed.Load() {
		return errSmallClosed
	}
	return errNoObject
}

var errSmallClosed = fmt.Errorf("multiproc: value or counter: %w", mperr.ErrClosed)

// Close gives back this process's handle; later calls that return an error
// return ErrClosed, the others panic with it. The object lives for as long as
// another handle to it exists in any process. A second Close returns ErrClosed.
func (s *small) Close() error {
	c := s.p.Swap(nil)
	if c == nil {
		return s.errGone()
	}
	s.closed.Store(true)
	c.retire()
	return nil
}

// cell returns the memory, or panics if the handle was closed. The caller
// keeps the cell alive until it no longer touches the memory.
func (s *small) cell() *cell {
	c := s.p.Load()
	if c == nil {
		panic(s.errGone())
	}
	return c
}

func (c *cell) body(off uintptr) unsafe.Pointer { return unsafe.Add(c.mem, shm.HeaderSize+off) }
