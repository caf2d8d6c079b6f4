package ring

import (
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

// # Leases
//
// A record that is lent leaves the ring for an *entry*, so that it stands in nobody's
// way: the ring's head moves on. Entries stand in tables behind the generations, one
// table for each size of entry, 64 bytes and its powers of two, or one for records of a
// fixed size. The tables are sparse: what was never used is no memory.
//
//	entry  0 word   see below        24 seq   the order of the records that were lent
//	       8 due    end of lease or  32 n     bytes of the record, or Nil
//	                delay            40 the record
//	      16 owner  who has it
//
//	word   bits 0..2   state
//	       bits 3..17  of the sequence number
//	       bits 18..31 how often it has been lent
//	       bits 32..63 how many records were acknowledged in this entry, modulo 2³²
//
// The word is the truth, and each change of it one store. It tells one lease from
// another of the same entry, so Ack is one compare-and-swap, without a lock; all others
// write words under the get lock. How many records were acknowledged at all is the sum
// over the entries: a total beside them could be wrong after a death. Control block:
//
//	 0  seq      of the last record that was lent, or is being lent
//	 8  from     the head before it was
//	16  next     when to look through the entries: no lease or delay ends before; 0: never
//	24  ready    entries that wait to be lent again   28 doomed, for the dead letters
//	32  used     a bit for each table that has entries
//	36  version  changes when an entry becomes ready
//	40  unmended a holder of the get lock has died, and nobody has looked since
//	64  for each table how many of its entries were ever used, and where the last was
//
// From seq to doomed they are written under the get lock; ready and doomed are totals,
// which look makes anew. Who finds next in the past, or has heard of a death, looks
// through all entries: those that are due or of the dead become ready. Nobody is needed
// who waits for that: whoever sleeps until there is a record sleeps until next at most,
// and who makes next earlier wakes them.
//
// Rejected: to leave the record in the ring (one that is worked at for long keeps all
// behind it from being given back); a heap of leases by their ends, and one of those
// that are ready, in shared memory (each change is several stores for an heir to mend,
// and Ack needs the lock); a list of free entries (the same).

// leaseControl is the control block of leases.
type leaseControl struct {
	seq      uint64
	from     word
	next     int64
	ready    uint32
	doomed   uint32
	used     uint32
	version  uint32
	unmended uint32
	_        [20]byte
	tables   [maxTables]struct{ size, cursor uint32 }
}

// maxTables bounds the tables: 64 << 28 holds more than MaxBytes.
const maxTables = 29

// LeaseSize is how many bytes of the segment the control block of leases takes. It
// stands behind that of the ring.
const LeaseSize = int64(unsafe.Sizeof(leaseControl{}))

type entry struct {
	word  uint64
	due   int64
	owner uint64
	seq   uint64
	n     uint32
	_     uint32
}

const entrySize = unsafe.Sizeof(entry{})

// The states of an entry.
const (
	unused   = iota
	lent     // until due, or the end of its owner
	ready    // to be lent again
	doomed   // it was lent too often
	delayed  // until due
	trimming // unused; its owner gives pages back, and it is free when due has passed
)

func stateOf(w uint64) uint64   { return w & 7 }
func attemptOf(w uint64) uint32 { return uint32(w>>18) & maxAttempt }
func acksOf(w uint64) uint32    { return uint32(w >> 32) }

const maxAttempt = 1<<14 - 1

// begun is the word of a record's first lease, in an entry whose word was w.
func begun(w, seq uint64) uint64 { return w&^(1<<32-1) | 1<<18 | seq&(1<<15-1)<<3 | lent }

// again is the word of a record that is lent once more.
func again(w uint64) uint64 {
	return w&^(maxAttempt<<18|7) | uint64(min(attemptOf(w)+1, maxAttempt))<<18 | lent
}

// settled is the word of an entry whose record was acknowledged.
func settled(w uint64) uint64 { return uint64(acksOf(w)+1) << 32 }

// emptied is the word of an entry whose record was taken for good.
func emptied(w uint64) uint64 { return w &^ (1<<32 - 1) }

func inState(w, state uint64) uint64 { return w&^7 | state }

// Lease names a record that is lent.
type Lease struct {
	word  uint64
	seq   uint64
	index uint32
	table uint32
}

// Attempt is how often the record has been lent.
func (l *Lease) Attempt() int { return int(attemptOf(l.word)) }

// Family are the processes that records are lent to.
type Family interface {
	// Owner is this process, as a number that is not 0.
	Owner() uint64
	// LiveOwner reports whether a process lives.
	LiveOwner(owner uint64) bool
}

// LeaseConfig is how a ring lends; all processes must give the same.
type LeaseConfig struct {
	Time     int64 // nanoseconds
	Attempts int   // after so many a record is doomed; 0: it never is
}

// leases is this process's handle to what a ring has lent.
type leases struct {
	c      *leaseControl
	cfg    LeaseConfig
	tables []table
	mapped atomic.Uint32 // a bit for each table of this process
	family Family
	owner  uint64        // this process
	deaths atomic.Uint32 // robust.Deaths when the entries were last looked through
	bury   func() bool

	// Under the get lock.
	taking *entry // what front has found, if it is no record of the ring
	found  Lease  // and its name, with the word that it has
	line   line
}

// table is this process's view of a table.
type table struct {
	base   atomic.Pointer[byte]
	stride uintptr
	n      uint32 // entries at most
	off    int64
	size   int64
}

func (t *table) at(i uint32) *entry {
	return (*entry)(unsafe.Add(unsafe.Pointer(t.base.Load()), uintptr(i)*t.stride))
}

// maxLent bounds the entries of a table.
const maxLent = 1 << 20

// tables lays the tables out behind off.
func (c *Config) tables(off int64) (list []table, end int64) {
	largest := min(c.Bytes, maxRecord)
	if c.Fixed {
		largest = int64(c.Size)
	}
	for stride := int64(64); len(list) < maxTables; stride *= 2 {
		last := stride-int64(entrySize) >= largest
		if c.Fixed && !last {
			continue
		}
		n := min(max(64<<20/stride, c.Bytes/stride, 16), maxLent)
		size := shm.RoundPage(n * stride)
		list = append(list, table{stride: uintptr(stride), n: uint32(n), off: off, size: size})
		off += size
		if last {
			break
		}
	}
	return list, off
}

// LeaseDataSize is how many bytes of the segment the tables take, from a page boundary
// on.
func (c Config) LeaseDataSize() int64 {
	_, end := c.tables(0)
	return end
}

// UseLeases makes the ring one that lends. The control block is at mem, the tables begin
// at dataOff, a page boundary. bury is called without locks when there are doomed
// records; it does with them what is to be done, see Doomed, and reports false if it
// cannot. Call UseLeases before any other method.
func (r *Ring) UseLeases(mem unsafe.Pointer, dataOff int64, cfg LeaseConfig, f Family, bury func() bool) error {
	l := &leases{c: (*leaseControl)(mem), cfg: cfg, family: f, owner: f.Owner(), bury: bury}
	var end int64
	if l.tables, end = r.cfg.tables(dataOff); end > r.seg.Size {
		return fmt.Errorf("leases of %d bytes in a segment of %d: %w", end-dataOff, r.seg.Size, mperr.ErrCorrupt)
	}
	l.deaths.Store(robust.Deaths() - 1) // somebody may have died before
	r.l = l
	return nil
}

// leasing reports whether anything was ever lent.
func (r *Ring) leasing() bool { return r.l != nil && atomic.LoadUint32(&r.l.c.used) != 0 }

// tableFor is the first table that has room for a record of n bytes.
func (r *Ring) tableFor(n int) int {
	if r.cfg.Fixed {
		return 0
	}
	return bits.Len64((uint64(entrySize) + uint64(max(n, 0)) - 1) >> 6)
}

// used is how many entries of a table were ever used.
func (l *leases) used(t int) uint32 {
	return min(atomic.LoadUint32(&l.c.tables[t].size), l.tables[t].n)
}

// missing is a table that has entries and is not mapped, -1 if there is none.
func (l *leases) missing() int {
	return bits.Len32(atomic.LoadUint32(&l.c.used)&(1<<len(l.tables)-1)&^l.mapped.Load()) - 1
}

// mapTable maps a table. No lock is held.
func (r *Ring) mapTable(n int) error {
	t := &r.l.tables[n]
	r.mapMu.Lock()
	defer r.mapMu.Unlock()
	if t.base.Load() != nil {
		return nil
	}
	p, err := r.seg.Map(t.off, t.size)
	if err != nil {
		return err
	}
	t.base.Store((*byte)(p))
	r.l.mapped.Or(1 << n)
	return nil
}

// mapTables maps all that have entries.
func (r *Ring) mapTables() error {
	for n := r.l.missing(); n >= 0; n = r.l.missing() {
		if err := r.mapTable(n); err != nil {
			return err
		}
	}
	return nil
}
