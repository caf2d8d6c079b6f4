// Package ring is a queue of byte records in shared memory: many putters,
// many getters, in any number of processes, first in first out for all.
//
// # Layout
//
// The control block stands at a 64-byte aligned offset of the segment; each
// line of it has one kind of writer, so that a putter and a getter in two
// processes share only what they must.
//
//	  0  put side, written under the put lock
//	       0 put lock (robust.LockSize)   16 cached head   24 generation
//	      28 cached low                   32 next rewind check
//	 64  tail      written under the put lock, read by all
//	128  get side, written under the get lock
//	       0 get lock                     16 cached tail   24 generation
//	      28 generations before this one were given back to the kernel
//	192  head      written under the get lock; by a putter while the ring is
//	               empty (see rewind)
//	256  not empty (robust.Event)
//	320  not full  (robust.Event)   8 widest (uint32)
//	384  closed (uint32)  4 done (uint32)  8 all done (robust.Event)
//	448  end of generation g: start position of g+1 (uint32), ended (uint32)
//
// Head and tail are single words that hold a position and a count together:
//
//	bits  0..31  position, in units of 8 bytes, modulo 2³²
//	bits 32..63  number of records ever put (tail) or got (head), modulo 2³²
//
// One store of the tail publishes a record, one store of the head takes it:
// whoever dies before that store has changed nothing that counts. Both
// differences, positions and counts, are exact as long as fewer than 2³¹
// units and records are in the ring, which the size guarantees.
//
// # Records
//
// A ring of fixed-size elements stores them bare, rounded up to 8 bytes. In
// other rings each record has a header word: length in the low half, its
// complement in the high half, so that a corrupted ring is noticed. The length
// of all ones stands for a record that is nil, which is not the same as empty.
//
// # Generations
//
// A ring starts small and grows when it is full, so that a queue that is
// drained as fast as it is filled stays in the processor's cache although it
// may hold a gigabyte. Generation g is a memory area of its own, twice as
// large as the one before; positions go on counting. The putter that finds
// generation g full notes where it ended; getters drain it, move on, and give
// its pages back to the kernel. A ring never shrinks, but it rewinds: a putter
// that finds the ring empty may start again at the beginning of the area.
//
// # What death leaves
//
// The lock's next owner mends: it reads the other side's index anew, and where
// the ring is empty it sets the tail's position to the head's. Nothing else
// can be half done: see the comments at the stores, and crash_test.go, which
// stops a process at each of them.
package ring

import (
	"unsafe"

	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

// Nil is the length of a record that is nil: no bytes, and told apart from an
// empty record. Rings of fixed-size elements have none.
const Nil = -1

// ControlSize is how many bytes of the segment the control block takes.
const ControlSize = 640

// maxGenerations bounds the growth: 64 KiB × 2^17 is MaxBytes, and one page
// × 2^19 is less than that.
const maxGenerations = 18

// MaxBytes is the largest byte bound of a ring: positions differ by less than
// 2³¹ units of 8 bytes.
const MaxBytes = 8 << 30

// firstGeneration is the size in bytes of the smallest area.
const firstGeneration = 64 << 10

// control is the control block. TestControlLayout pins the offsets.
type control struct {
	putLock    [robust.LockSize]byte
	cachedHead uint64 // a past value of head: never ahead of it
	putGen     uint32
	cachedLow  uint32 // position from which on the area is in use, never ahead of the truth
	rewindAt   uint32 // position at which to look whether the ring is empty
	_          [28]byte

	tail uint64
	_    [56]byte

	getLock    [robust.LockSize]byte
	cachedTail uint64
	getGen     uint32
	punched    uint32 // written without the lock, see punch
	_          [32]byte

	head uint64
	_    [56]byte

	notEmpty uint64
	_        [56]byte

	notFull uint64
	widest  uint32 // units that the most demanding waiting putter needs, see waitSpace
	_       [52]byte

	closed  uint32
	done    uint32
	allDone uint64
	_       [48]byte

	ends [maxGenerations]genEnd
	_    [48]byte
}

// genEnd says that a generation has ended and where the next one begins.
// start is stored before ended.
type genEnd struct {
	start uint32
	ended uint32
}

var _ [ControlSize]byte = [unsafe.Sizeof(control{})]byte{}

// word packs a position and a count.
type word = uint64

func pos(w word) uint32                { return uint32(w) }
func cnt(w word) uint32                { return uint32(w >> 32) }
func pack(position, count uint32) word { return uint64(count)<<32 | uint64(position) }

// Config is what makes a ring; all processes must give the same, so it is
// kept in the segment's header (see Params).
type Config struct {
	Fixed bool  // all records have Size bytes
	Size  int   // of a record, if Fixed
	Items int   // most records at a time; 0: bounded by bytes only
	Bytes int64 // most bytes at a time, record headers included
}

// Params packs the configuration for a segment header.
func (c Config) Params() [2]uint64 {
	var p [2]uint64
	p[0] = uint64(c.Bytes)
	p[1] = uint64(uint32(c.Items))<<32 | uint64(uint32(c.Size))<<1
	if c.Fixed {
		p[1] |= 1
	}
	return p
}

// FromParams unpacks what Params packed. The numbers come from a header whose
// checksum was right; New checks their ranges all the same.
func FromParams(p [2]uint64) Config {
	return Config{Bytes: int64(p[0]), Items: int(p[1] >> 32), Size: int(uint32(p[1]) >> 1), Fixed: p[1]&1 != 0}
}

// units is how many units of 8 bytes n bytes take.
func units(n int) uint32 { return uint32((uint64(n) + 7) / 8) }

// stride is how many units a record of n bytes takes in the ring, or a nil one.
// No record takes none: positions must tell records apart.
func (c *Config) stride(n int) uint32 {
	if c.Fixed {
		return max(1, units(c.Size))
	}
	return 1 + units(max(n, 0))
}

// RecordBytes is how many bytes of the byte bound a record of a fixed-size ring
// takes.
func (c Config) RecordBytes() int64 { return 8 * int64(c.stride(0)) }

// sizes returns the sizes in bytes of the generations: the first holds all
// items when that is known and small, the last holds the byte bound.
func (c *Config) sizes() []int64 {
	last := int64(firstGeneration)
	for last < c.Bytes {
		last *= 2
	}
	first := int64(firstGeneration)
	if c.Fixed && c.Items > 0 {
		need := int64(c.Items) * 8 * int64(c.stride(0))
		for first < need && first < 4<<20 {
			first *= 2
		}
	}
	first = max(min(first, last), shm.PageSize())
	last = max(last, first)
	list := []int64{first}
	for first < last {
		first *= 2
		list = append(list, first)
	}
	return list
}

// DataSize is how many bytes of the segment the generations take, from a
// page boundary on.
func (c Config) DataSize() int64 {
	var sum int64
	for _, s := range c.sizes() {
		sum += s
	}
	return sum
}
