package mp

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"multiproc/internal/local"
	"multiproc/internal/shm"
)

// Counter is an int64 in shared memory that every process adds to without a
// lock. Its methods panic if the handle was closed.
//
// Its operations are sequentially consistent, like those of atomic.Int64.
type Counter struct {
	travels
	memoryOnly
	cell local.Small
}

// counterWord is where the number stands: a cache line of its own.
const counterWord = 64

// NewCounter makes a counter that is n at first.
func NewCounter(n int64) (*Counter, error) {
	c := &Counter{}
	f, seg, err := newSegment(shm.KindCounter, [16]byte{}, shm.HeaderSize+counterWord+64, [4]uint64{})
	if err != nil {
		return nil, err
	}
	if err := c.attach(f, seg, 0); err != nil {
		return nil, err
	}
	c.Store(n)
	return c, nil
}

func (c *Counter) kind() shm.Kind                { return shm.KindCounter }
func (c *Counter) finger(byte) ([16]byte, error) { return [16]byte{}, nil }

func (c *Counter) attach(_ *family, seg *shm.Segment, _ byte) error {
	if seg.Size < shm.HeaderSize+counterWord+64 {
		_ = seg.Close()
		return fmt.Errorf("%s %s: %d bytes: %w", seg.Kind, seg.ID, seg.Size, ErrCorrupt)
	}
	m, err := local.NewCell(seg, shm.HeaderSize+counterWord+64, nil)
	if err == nil {
		c.cell.P.Store(m)
	}
	return err
}

// wordOf is the word in the memory of a counter.
func wordOf(c *local.Cell) *atomic.Int64 { return (*atomic.Int64)(c.Body(counterWord)) }

// Add adds d and returns the sum. Cost: that of an atomic add.
func (c *Counter) Add(d int64) int64 {
	m := c.cell.Cell()
	n := wordOf(m).Add(d)
	runtime.KeepAlive(m)
	return n
}

// Load returns the number.
func (c *Counter) Load() int64 {
	m := c.cell.Cell()
	n := wordOf(m).Load()
	runtime.KeepAlive(m)
	return n
}

// Store sets the number.
func (c *Counter) Store(n int64) {
	m := c.cell.Cell()
	wordOf(m).Store(n)
	runtime.KeepAlive(m)
}

// CompareAndSwap sets the number to n if it is old, and reports whether it did.
func (c *Counter) CompareAndSwap(old, n int64) bool {
	m := c.cell.Cell()
	ok := wordOf(m).CompareAndSwap(old, n)
	runtime.KeepAlive(m)
	return ok
}

// Close gives the handle back; later calls panic.
func (c *Counter) Close() error { return c.cell.Close() }

// String names the object.
func (c *Counter) String() string { return c.cell.String() }

func (c *Counter) travel() traveller { return c }

func (c *Counter) borrow() (*shm.Segment, func(), error) { return c.cell.Borrow() }
