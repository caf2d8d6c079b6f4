package pool

import (
	"fmt"
	"math/bits"
	"sync"

	"multiproc/mp"
)

// memory is what arguments and results lie in: segments that the pool and its
// workers share. Spans of up to largest bytes are cut from common segments in
// powers of two, and come back to a list, the last first, while they are in the
// cache; a larger one has a segment of its own.
type memory struct {
	mu       sync.Mutex
	free     [maxClass - minClass + 1][]span
	current  *segment // spans are cut off its end
	used     int
	large    []span // with a segment of their own, and free
	idle     int    // bytes of those
	total    int64  // bytes of all segments
	next     uint32
	segments map[uint32]*segment
	dropped  func(uint32) // tells workers
	out      int          // spans that somebody has
	closed   bool
}

const (
	minClass    = 10 // 1 KiB
	maxClass    = 20 // 1 MiB
	largest     = 1 << maxClass
	segmentSize = 16 << 20
	maxIdle     = 256 << 20 // of large segments that are kept for the next large argument
)

// segment is memory that was got from the system.
type segment struct {
	no    uint32
	array *mp.RawArray[byte]
	bytes []byte
}

// span is a piece of a segment.
type span struct {
	seg *segment
	off int
	n   int
}

func (s span) bytes() []byte { return s.seg.bytes[s.off : s.off+s.n : s.off+s.n] }

func (s span) ref() ref { return ref{uint64(s.seg.no), uint64(s.off), uint64(s.n)} }

func newMemory(dropped func(uint32)) *memory {
	return &memory{segments: map[uint32]*segment{}, dropped: dropped}
}

func (m *memory) segment(n int) (*segment, error) {
	if m.closed {
		return nil, ErrClosed
	}
	a, err := mp.NewRawArray[byte](n)
	if err != nil {
		return nil, fmt.Errorf("%d bytes for arguments and results: %w", n, err)
	}
	m.next++
	s := &segment{m.next, a, a.Elements()}
	m.segments[s.no] = s
	m.total += int64(n)
	return s, nil
}

// size is how much memory there is, in bytes.
func (m *memory) size() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

// alloc returns a span of at least n bytes. What is in it is what was there
// before.
func (m *memory) alloc(n int) (span, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.cut(n)
	if err == nil {
		m.out++
	}
	return s, err
}

func (m *memory) cut(n int) (span, error) {
	if n > largest {
		return m.cutLarge(n)
	}
	class := max(minClass, bits.Len(uint(n-1)))
	free := &m.free[class-minClass]
	if k := len(*free); k > 0 {
		s := (*free)[k-1]
		*free = (*free)[:k-1]
		return s, nil
	}
	size := 1 << class
	if m.current == nil || m.used+size > segmentSize {
		s, err := m.segment(segmentSize)
		if err != nil {
			return span{}, err
		}
		m.current, m.used = s, 0
	}
	s := span{m.current, m.used, size}
	m.used += size
	return s, nil
}

func (m *memory) cutLarge(n int) (span, error) {
	for i := len(m.large) - 1; i >= 0; i-- {
		if s := m.large[i]; s.n >= n && s.n/2 <= n {
			m.large = append(m.large[:i], m.large[i+1:]...)
			m.idle -= s.n
			return s, nil
		}
	}
	n = (n + n/8 + 1<<16 - 1) &^ (1<<16 - 1) // so that the next, somewhat larger one fits as well
	seg, err := m.segment(n)
	if err != nil {
		return span{}, err
	}
	return span{seg, 0, n}, nil
}

// release gives a span back that no worker uses any more.
func (m *memory) release(s span) {
	if s.seg == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.out--; m.closed {
		m.unmap()
		return
	}
	if s.n <= largest {
		class := bits.Len(uint(s.n - 1))
		m.free[class-minClass] = append(m.free[class-minClass], s)
		return
	}
	m.large = append(m.large, s)
	for m.idle += s.n; m.idle > maxIdle; {
		old := m.large[0]
		m.large = m.large[1:]
		m.idle -= old.n
		delete(m.segments, old.seg.no)
		m.total -= int64(old.n)
		_ = old.seg.array.Close()
		m.dropped(old.seg.no)
	}
}

// close gives the memory back, as soon as nobody has a span any more: who still
// reads results does so in peace.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.unmap()
}

func (m *memory) unmap() {
	if m.out > 0 {
		return
	}
	for no, s := range m.segments {
		_ = s.array.Close()
		delete(m.segments, no)
	}
	m.large, m.current = nil, nil
	clear(m.free[:])
}
