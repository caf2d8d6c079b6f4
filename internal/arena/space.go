package arena

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/mperr"
)

// firstBits is the size of the first window, as a power of two.
const firstBits = 16

// windows is how many there are at most: those of 2^firstBits bytes, of as many again,
// and then each of as many as all before it.
const windows = 32

// MaxSize is how many bytes of address space a segment of an arena has: all that
// offsets, which take 41 bits in units of 8 bytes, can say.
const MaxSize = 1 << 44

// Nowhere is an offset that leads nowhere: what is done there is done to nothing.
const Nowhere = MaxSize

// slack is how many bytes of the next window are mapped behind each window, so that
// what begins in a window can be looked at without asking where it ends, up to that size.
const slack = 64 << 10

// Mapper maps pieces of a segment; a *shm.Segment does.
type Mapper interface {
	Map(off, size int64) (unsafe.Pointer, error)
	// PunchPinned gives pages back to the kernel; the caller is pinned.
	PunchPinned(off, size int64)
}

// Space is this process's view of a segment that is used from the beginning on, and
// mapped as it comes into use: a window at a time, each as large as all before it.
// Nothing is ever unmapped, so what an offset once led to can be read for ever. It may
// have become something else by then.
type Space struct {
	// Floor is how many bytes of a heap may be dead, and how many empty, before it is called
	// untidy or ample: or a small one would be tidied, and its memory given to the kernel
	// and taken back, all the time.
	Floor uint64

	seg    Mapper
	size   uint64 // of the file
	tail   *uint64
	abyss  unsafe.Pointer // what offsets lead to that lead nowhere
	window [windows]atomic.Pointer[byte]
	mu     sync.Mutex
}

// Init makes s a view of a segment of size bytes, whose first window is mapped at
// first. tail is where in it the word stands that says what is in use.
func (s *Space) Init(seg Mapper, first unsafe.Pointer, size int64, tail uint64) (err error) {
	s.seg, s.size = seg, uint64(size)-slack // the end is the abyss
	s.window[0].Store((*byte)(first))
	s.tail = (*uint64)(unsafe.Add(first, tail))
	s.abyss, err = seg.Map(int64(s.size), slack)
	return err
}

// FirstWindow is how many bytes who attaches maps at first: the first window and what
// stands behind each.
const FirstWindow = 1<<firstBits + slack

// start is where a window begins.
func start(w int) uint64 { return 1 << w >> 1 << firstBits }

// Map maps the window that off is in. The error of an offset that is not in use wraps
// mperr.ErrCorrupt.
func (s *Space) Map(off uint64) error {
	w := bits.Len64(off >> firstBits)
	if w >= windows || off >= atomic.LoadUint64(s.tail) || off >= s.size {
		return fmt.Errorf("an offset of %d, beyond all that is in use: %w", off, mperr.ErrCorrupt)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.window[w].Load() != nil {
		return nil
	}
	from, to := start(w), start(w+1)
	size := min(to+slack, s.size) - from
	p, err := s.seg.Map(int64(from), int64(size))
	if err != nil {
		return err
	}
	s.window[w].Store((*byte)(p))
	return nil
}

// Reserve takes size bytes, a power of two, that nobody has used so far; they are zero,
// and take no memory before they are touched. It returns 0 if there are none left. Who
// dies before it has written down what it got has used up address space.
func (s *Space) Reserve(size uint64) uint64 {
	for {
		tail := atomic.LoadUint64(s.tail)
		off := (tail + size - 1) &^ (size - 1)
		if off < tail || off > s.size || size > s.size-off {
			return 0
		}
		if atomic.CompareAndSwapUint64(s.tail, tail, off+size) {
			return off
		}
	}
}

// PunchPinned gives the memory of size bytes back to the kernel: they are zero, and take
// none before they are touched again. The caller is pinned. It does nothing with what is
// not in use.
func (s *Space) PunchPinned(off, size uint64) {
	if tail := atomic.LoadUint64(s.tail); off < tail && size <= tail-off && off+size <= s.size {
		s.seg.PunchPinned(int64(off), int64(size))
	}
}

// View is how one call looks at a Space. An offset in shared memory may be anything if
// the memory is damaged, and its window may not be mapped so far; under a lock nothing
// can be done about either. So At always returns memory that can be used, and the view
// remembers that it was not the right one: the caller, before it believes what it has
// read, asks Lost.
//
// The zero View looks at nothing. It is for one goroutine.
type View struct {
	Space *Space
	lost  uint64 // the first offset that led nowhere, and 1
	wrong bool   // it is not a matter of what is mapped
}

// At is the memory at off, slack bytes of it. off is a multiple of 8: what is in words
// that are damaged may be anything.
func (v *View) At(off uint64) unsafe.Pointer {
	if w := bits.Len64(off >> firstBits); w < windows && off&7 == 0 {
		if p := v.Space.window[w].Load(); p != nil {
			return unsafe.Add(unsafe.Pointer(p), off&^(1<<w>>1<<firstBits))
		}
	}
	return v.nowhere(off)
}

func (v *View) nowhere(off uint64) unsafe.Pointer {
	if v.lost == 0 {
		v.lost, v.wrong = off+1, off&7 != 0 // where it is mapped that is not what was missing
	}
	return v.Space.abyss
}

// Bytes are n bytes at off, which need not be a multiple of 8; nil if they are not
// there.
func (v *View) Bytes(off, n uint64) []byte {
	from := off & 7
	p := v.At(off - from)
	if v.lost != 0 {
		return nil
	}
	if n > slack-8 {
		if end := start(bits.Len64(off>>firstBits)+1) + slack; off >= end || n > end-off {
			v.Damaged(off)
			return nil
		}
	}
	return unsafe.Slice((*byte)(unsafe.Add(p, from)), n)
}

// Own is the memory at off, which the caller is about to store to without a journal: it
// is nobody's so far, or is changed by this one store. If the view was lost then off may
// have been read from nowhere, and be anything: it is the abyss that is stored to.
func (v *View) Own(off uint64) unsafe.Pointer {
	if p := v.At(off); v.lost == 0 {
		return p
	}
	return v.Space.abyss
}

// OwnWord is the word there.
func (v *View) OwnWord(off uint64) *uint64 { return (*uint64)(v.Own(off)) }

// Word is the word at off.
func (v *View) Word(off uint64) *uint64 { return (*uint64)(v.At(off)) }

// Load is what the word at off says.
func (v *View) Load(off uint64) uint64 { return atomic.LoadUint64(v.Word(off)) }

// Damaged notes that what was read at off cannot be right.
func (v *View) Damaged(off uint64) {
	if v.lost == 0 {
		v.lost, v.wrong = off+1, true
	}
}

// Lost reports whether the view has been led to memory that it does not have.
func (v *View) Lost() bool { return v.lost != 0 }

// Forget forgets that the view was lost, as what it looked at was another's by then.
func (v *View) Forget() { v.lost, v.wrong = 0, false }

// Find makes a view that was lost a good one for the next attempt: it maps what was not
// mapped. It returns an error that wraps mperr.ErrCorrupt if that is not what was wrong.
func (v *View) Find() error {
	off, wrong := v.lost-1, v.wrong
	v.Forget()
	if wrong {
		return fmt.Errorf("what stands at offset %d cannot be: %w", off, mperr.ErrCorrupt)
	}
	return v.Space.Map(off)
}
