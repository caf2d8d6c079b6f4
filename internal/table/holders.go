package table

import (
	"context"
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/robust"
)

// HoldersSize is how many bytes a Holders takes in shared memory; it is
// aligned to 8.
const HoldersSize = robust.LockSize + 16 + maxHolders*16

// maxHolders is how many processes can hold one end of a pipe at once.
const maxHolders = 126

// Holders tells which processes hold an object, and whether any of them still
// lives. In shared memory:
//
//	 0  lock     robust, for changes
//	16  used     uint32, entries that were ever in use
//	20  version  uint32, changes after an entry has appeared
//	32  entries  maxHolders × { ref uint64, count uint64 }
//
// An entry counts if its count is not 0 and its process lives. The high half of
// count is made of the low half and of ref, so that damaged memory holds no pipe
// open: such an entry does not count. A new entry's ref is stored before its count; count
// is one word. So a death under the lock leaves the change done or not done, and
// the next owner mends nothing.
type Holders struct {
	t *Table
	m *holders
	l robust.Lock
}

type holders struct {
	lock    [robust.LockSize]byte
	used    uint32
	version uint32
	_       [8]byte
	entries [maxHolders]struct {
		ref   uint64
		count uint64
	}
}

var _ [HoldersSize]byte = [unsafe.Sizeof(holders{})]byte{}

// Init attaches to HoldersSize bytes of shared memory, all zero at first.
func (h *Holders) Init(t *Table, p unsafe.Pointer) {
	h.t, h.m = t, (*holders)(p)
	h.l.Init(p)
}

// Add counts delta more (or fewer) handles for a process. It may wait for the
// lock, which is held for the time of a count; in vain only if its holder is
// stopped in that microsecond.
func (h *Holders) Add(ctx context.Context, ref Ref, delta int) error {
	if _, err := h.l.Hold(ctx); err != nil {
		return fmt.Errorf("process %d is stopped while it holds the lock of a pipe's ends: %w", h.l.Owner(), err)
	}
	full := h.add(ref, delta)
	h.l.Free().Do()
	if full {
		return fmt.Errorf("more than %d processes hold one end of a pipe", maxHolders)
	}
	return nil
}

// add is Add under the lock. The caller is pinned.
func (h *Holders) add(ref Ref, delta int) (full bool) {
	used := min(atomic.LoadUint32(&h.m.used), maxHolders)
	vacant := -1
	for i := range int(used) {
		e := &h.m.entries[i]
		count := handles(e.count, e.ref)
		if count != 0 && e.ref == ref.Pack() {
			atomic.StoreUint64(&e.count, countWord(max(0, count+delta), e.ref))
			failpoint.Hit("holders.counted")
			return false
		}
		if vacant < 0 && (count == 0 || !h.t.Live(Unpack(e.ref))) {
			vacant = i
		}
	}
	if delta <= 0 {
		return false // it held nothing
	}
	if vacant < 0 {
		if used == maxHolders {
			return true
		}
		vacant = int(used)
	}
	e := &h.m.entries[vacant]
	atomic.StoreUint64(&e.count, 0)
	failpoint.Hit("holders.vacated")
	atomic.StoreUint64(&e.ref, ref.Pack())
	failpoint.Hit("holders.named")
	atomic.StoreUint64(&e.count, countWord(delta, e.ref))
	failpoint.Hit("holders.entered")
	if vacant == int(used) {
		atomic.StoreUint32(&h.m.used, used+1)
		failpoint.Hit("holders.used")
	}
	atomic.AddUint32(&h.m.version, 1)
	failpoint.Hit("holders.added")
	return false
}

// countWord is a count as it stands in memory. 0 is 0, as in fresh memory.
func countWord(n int, ref uint64) uint64 {
	if n == 0 {
		return 0
	}
	return uint64(uint32(n)) | uint64(^uint32(n)^mix(ref))<<32
}

// mix changes in one bit if ref does.
func mix(ref uint64) uint32 { return uint32(ref) ^ bits.RotateLeft32(uint32(ref>>32), 16) }

// handles is the way back; a word that is no count is 0.
func handles(w, ref uint64) int {
	if w == 0 || uint32(w) != ^uint32(w>>32)^mix(ref) {
		return 0
	}
	return int(uint32(w))
}

// Any reports whether a live process holds the object. It takes no lock.
//
// An object that is handed on is held at every moment, by the giver or by the
// new holder. A look that passes the new entry's place before it is there, and
// the giver's after it was left, sees nobody; version tells it to look again.
func (h *Holders) Any() bool {
	for {
		version := atomic.LoadUint32(&h.m.version)
		if h.any() {
			return true
		}
		if atomic.LoadUint32(&h.m.version) == version {
			return false
		}
	}
}

func (h *Holders) any() bool {
	used := min(atomic.LoadUint32(&h.m.used), maxHolders)
	for i := range int(used) {
		e := &h.m.entries[i]
		ref := atomic.LoadUint64(&e.ref)
		if handles(atomic.LoadUint64(&e.count), ref) != 0 && h.t.Live(Unpack(ref)) {
			return true
		}
	}
	return false
}
