package pool

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"multiproc/mp"
	"multiproc/mp/executor"
)

// What passes between a pool and a worker:
//
//	lane     orders to the worker, notes back. An order is a run of items of one
//	         task, whose arguments lie in shared memory, and a region for results.
//	control  what is rare or has handles in it: segments of memory, names of
//	         tasks, values, cancellations to the worker; values back.
//
// Who is at which item is not said in messages but published in the region, so
// that it is known also of a worker that is dead.

// ref is a piece of shared memory: a segment's number, and where in it.
type ref struct {
	Segment uint64
	Off     uint64
	Len     uint64
}

type orderKind uint32

const (
	orderBytes orderKind = iota // arguments are bytes at Args, one after the other
	orderValue                  // one argument, which comes over control
	orderRoom                   // no items: the region in which order ID goes on
)

// order is a message to a worker.
type order struct {
	ID      uint64
	Args    ref
	Region  ref
	Kind    orderKind
	Task    uint32 // number that control gave it
	Claim   uint32 // items that the worker may claim at once
	Carried uint32 // 1: values of the context come over control
	Timeout int64  // of each item, in nanoseconds; 0 is none
}

type noteKind uint32

const (
	noteDone  noteKind = iota // order ID is finished
	noteReady                 // the worker takes orders
	noteRoom                  // its region has no room for a result of Need bytes
)

// note is a message of a worker.
type note struct {
	ID     uint64
	Kind   noteKind
	Need   uint64
	Waited int64 // nanoseconds before the order was there
	Worked int64 // and in it
	RSS    int64 // resident memory in bytes, 0 where that was not looked at
}

type commandKind uint8

const (
	commandSegment commandKind = iota // Segment has number No
	commandDrop                       // segment No is not used any more
	commandTask                       // Name has number No
	commandValue                      // Value is the argument of order ID
	commandSent                       // the argument of order ID was sent: it is here, or never will be
	commandCarry                      // Value are the values of the context of order ID
	commandCancel                     // of order ID, because of Value, an error
)

// command is a message to a worker over control.
type command struct {
	Kind    commandKind
	No      uint32
	ID      uint64
	Name    string
	Segment *mp.RawArray[byte]
	Value   any
}

// report is a result that a worker sends over control.
type report struct {
	ID    uint64 // of the order
	Item  uint32
	Value any
}

// region is where the worker of an order publishes how far it is, and its results:
//
//	 0  place     next and end of the items, and flags; see below
//	 8  done      number of items that have a record, and the bytes of those
//	16  failures  how many of them are failures
//	24  values    how many stand for values that come over control
//	32  at        number of items that have begun
//	64  the records
//
// The worker moves next, by one item or a few, the pool lowers end to take items
// back, and sets flags; all by compare-and-swap. An item at or beyond end is never
// begun. Those below next are the worker's alone: at says how many of them it has
// begun, and a record is complete before done counts it. So this is known of
// a worker that died between any two stores: items below done have their result; if
// at is more than done it was running the item done; the rest has not begun.
//
// A region that has no room is followed by another, in which done goes on; the
// other words stay in the first.
type region struct {
	place    *atomic.Uint64
	done     *atomic.Uint64
	failures *atomic.Uint64
	values   *atomic.Uint64
	at       *atomic.Uint64
	records  []byte
}

const regionHead = 64

func regionAt(b []byte) region {
	word := func(i int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&b[i])) }
	return region{word(0), word(8), word(16), word(24), word(32), b[regionHead:len(b):len(b)]}
}

// condemnUnbegun is condemn for an order of which nothing was claimed yet.
func (r region) condemnUnbegun() bool {
	for {
		w := r.place.Load()
		if next, _ := splitPlace(w); next > 0 || w&flagFinished != 0 {
			return false
		}
		if r.place.CompareAndSwap(w, w|flagKilled) {
			return true
		}
	}
}

// reset prepares a region for n items, of which done have a record already.
func (r region) reset(n, done int) {
	r.place.Store(placeOf(0, n))
	r.done.Store(uint64(done))
	r.failures.Store(0)
	r.values.Store(0)
	r.at.Store(0)
}

// The parts of a place.
const (
	placeBits = executor.CountBits
	maxItems  = 1<<placeBits - 1

	flagKilled   = 1 << 63 // the pool is about to kill the worker: it begins nothing more
	flagFinished = 1 << 62 // the worker has gone through to end
	flags        = flagKilled | flagFinished
)

func placeOf(next, end int) uint64 { return uint64(next) | uint64(end)<<placeBits }

func splitPlace(w uint64) (next, end int) {
	return int(w & maxItems), int(w >> placeBits & maxItems)
}

// claim takes up to n of the next items for the worker, none if there are none.
func (r region) claim(n int) (from, to int, killed bool) {
	for {
		w := r.place.Load()
		next, end := splitPlace(w)
		to = min(next+n, end)
		switch {
		case w&flagKilled != 0:
			return 0, 0, true
		case next == end:
			if r.place.CompareAndSwap(w, w|flagFinished) {
				return next, next, false
			}
		case r.place.CompareAndSwap(w, placeOf(to, end)):
			return next, to, false
		}
	}
}

// takeBack takes all items from the worker that it has not claimed, but for keep of
// them, and returns them as a range.
func (r region) takeBack(keep int) (from, to int) {
	for {
		w := r.place.Load()
		next, end := splitPlace(w)
		from = min(next+keep, end)
		if from == end || w&flagFinished != 0 {
			return end, end
		}
		if r.place.CompareAndSwap(w, placeOf(next, from)|w&flags) {
			return from, end
		}
	}
}

// condemn sees to it that the worker begins nothing after what it has claimed, so
// that it can be killed. It returns false if it has finished the order, or if
// another item than this one was claimed last; -1 is any.
func (r region) condemn(item int) bool {
	for {
		w := r.place.Load()
		next, _ := splitPlace(w)
		if item >= 0 && next != item+1 || w&flagFinished != 0 {
			return false
		}
		if r.place.CompareAndSwap(w, w|flagKilled) {
			return true
		}
	}
}

// published returns how many items have a record, and the bytes of those.
func (r region) published() (count, bytes int) {
	w := r.done.Load()
	return int(w & maxItems), int(w >> placeBits)
}

// Arguments of a size that the task's type does not give begin with it.
const argumentHead = 8

func argumentSize(b []byte) (size int, rest []byte) {
	return int(binary.LittleEndian.Uint64(b)), b[argumentHead:]
}

func putArgumentSize(b []byte, size int) { binary.LittleEndian.PutUint64(b, uint64(size)) }
