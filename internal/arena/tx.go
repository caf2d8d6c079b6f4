package arena

import (
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
)

// A journal, in shared memory:
//
//	 0  count  how many stores there are; not 0: they are to be done
//	 8  where  they are written down, if not here
//	16  pairs of an offset and what is to be stored there
//
// It is written under the lock of the part that it belongs to.
const (
	journalWhere = 8
	journalPairs = 16

	// PairSize is how many bytes a pair takes.
	PairSize = 16
)

// JournalSize is how many bytes a journal takes, and inlinePairs how many pairs it has
// room for.
const (
	JournalSize = 384
	inlinePairs = (JournalSize - journalPairs) / PairSize
)

// maxPairs bounds what an heir believes.
const maxPairs = slack / PairSize

// Tx is a transaction. It is made by the holder of the lock of the part, who is pinned.
// It looks at memory through its View, which is set first.
type Tx struct {
	View
	journal unsafe.Pointer
	pairs   unsafe.Pointer
	where   uint64 // of pairs, 0: in the journal
	n, room int
	full    bool // there is no address space left
}

// Begin makes tx an empty transaction of the part whose journal stands at off. It ends
// with Commit, or when it is forgotten.
func (tx *Tx) Begin(off uint64) {
	tx.journal = tx.At(off)
	tx.Again()
}

// Again makes tx an empty transaction of the same part, after Commit.
func (tx *Tx) Again() {
	tx.pairs = unsafe.Add(tx.journal, journalPairs)
	tx.where, tx.n, tx.room = 0, 0, inlinePairs
}

// Full reports whether the view was lost because there is no address space left.
func (tx *Tx) Full() bool { return tx.full }

// Set makes the word at off become v, in the place where it was set before.
func (tx *Tx) Set(off, v uint64) {
	for i := tx.n - 1; i >= 0; i-- {
		if p := (*[2]uint64)(unsafe.Add(tx.pairs, i*PairSize)); p[0] == off {
			p[1] = v
			return
		}
	}
	tx.Put(off, v)
}

// Put is Set for a word that was not set before.
func (tx *Tx) Put(off, v uint64) {
	if tx.n == tx.room { // more than the caller has room for: the change is not made
		tx.Damaged(off)
		return
	}
	tx.At(off) // or it would be lost too late
	p := (*[2]uint64)(unsafe.Add(tx.pairs, tx.n*PairSize))
	p[0], p[1] = off, v
	tx.n++
}

// Get is what the word at off is to become, or is.
func (tx *Tx) Get(off uint64) uint64 {
	for i := tx.n - 1; i >= 0; i-- {
		if p := (*[2]uint64)(unsafe.Add(tx.pairs, i*PairSize)); p[0] == off {
			return p[1]
		}
	}
	return tx.Load(off)
}

// Add adds to the word at off.
func (tx *Tx) Add(off, by uint64) { tx.Set(off, tx.Get(off)+by) }

// Commit makes the change, and reports whether it did: not if the view was lost on the
// way there.
func (tx *Tx) Commit() bool {
	if tx.Lost() {
		return false
	}
	if tx.n == 0 {
		return true
	}
	count := (*uint64)(tx.journal)
	atomic.StoreUint64((*uint64)(unsafe.Add(tx.journal, journalWhere)), tx.where)
	failpoint.Hit("arena.written")
	fence.StoreRelease64(count, uint64(tx.n)) // the moment
	failpoint.Hit("arena.committed")
	tx.apply(tx.n)
	fence.StoreRelease64(count, 0)
	failpoint.Hit("arena.done")
	return true
}

func (tx *Tx) apply(n int) {
	for i := range n {
		p := (*[2]uint64)(unsafe.Add(tx.pairs, i*PairSize))
		fence.StoreRelease64(tx.Word(p[0]), p[1])
		failpoint.Hit("arena.applied")
	}
}

// Redo completes the change of a holder of the lock that died. The next holder calls
// it, before it looks at anything.
func (tx *Tx) Redo() {
	count := (*uint64)(tx.journal)
	n := atomic.LoadUint64(count)
	if n == 0 {
		return
	}
	if where := atomic.LoadUint64((*uint64)(unsafe.Add(tx.journal, journalWhere))); where != 0 {
		tx.pairs, tx.room = tx.At(where), maxPairs
	}
	if n > uint64(tx.room) {
		tx.Damaged(0)
	}
	if tx.Lost() { // they cannot be read so far
		return
	}
	// A word that is not mapped here so far goes into the abyss, and is stored the next
	// time: the journal stays as it is.
	tx.apply(int(n))
	if tx.Lost() {
		return
	}
	fence.StoreRelease64(count, 0)
	failpoint.Hit("arena.redone")
	tx.Again()
}
