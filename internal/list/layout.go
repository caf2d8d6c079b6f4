package list

import (
	"multiproc/internal/arena"
	"multiproc/internal/robust"
)

// The words of the list. Offsets are from the beginning of the segment, behind whose
// header (shm.HeaderSize) they stand.
//
//	128  tail    of the arena
//	192  lock    robust; in the first 16 KiB of the segment, so that it can be resident
//	256  body    where it is; 0: the list is empty
//	264  clock   the version of the latest change
//	272  doomed  the first block of what is to be given back
//	280  draft   a block of the same form: what has been made for a change to come
//	288  cursor  which item the sweep looks at next
//	320  heap
//	448  journal
const (
	offTail    = 128
	offLock    = 192
	offBody    = 256
	offClock   = 264
	offDoomed  = 272
	offDraft   = 280
	offCursor  = 288
	offHeap    = 320
	offJournal = offHeap + arena.HeapSize

	// startAt is the first offset that is not in use at first.
	startAt = 1024

	lockEnd = offLock + robust.LockSize
)

// The kinds of blocks.
const (
	kindBody = 1 + iota
	kindLeaf
	kindNode
	kindValue
	kindDoomed
)

// The body:
//
//	 0  root    a node, or a leaf, and its height
//	 8  length  of the list; grows and shrinks at the end without another body
//	16  shift   the version of the change that made the body
//	24  last    leaf
//	32  base    index of its first item
//
// The version of an item is that of its leaf or the shift, what is more: a change that
// moves items to other indices gives all of them a new one.
const (
	bodyRoot   = 0
	bodyLength = 8
	bodyShift  = 16
	bodyLast   = 24
	bodyBase   = 32

	bodySize = 40
)

// A leaf:
//
//	0  version  of the latest change of an item where it stands
//	8  words    0 behind the last item
const (
	leafVersion = 0
	leafWords   = 8

	leafMax = 256
	leafMin = 64
)

// A node, of a height of 1 or more:
//
//	0  children
//	8  of each: where it is, and how many items it and those before it have. The last one
//	   may have more by now
const (
	nodeLen   = 0
	nodeFirst = 8
	nodeStep  = 16

	nodeMax = 64
	nodeMin = 16

	maxHeight = 8
)

// The doomed:
//
//	 0  next  block of the same
//	 8  entries, a stack
//	16  of each: where a node is, in bits 8 to 63, and its height; and which of its
//	    children, or items, go with it, those from the low half of the second word up to
//	    the high one
const (
	doomNext  = 0
	doomLen   = 8
	doomFirst = 16
	doomStep  = 16
)

// The block of an item that is not a word is its length and its bytes.
const (
	valueLen   = 0
	valueBytes = 8
)

func ref(off, height uint64) uint64 { return off<<8 | height }

func leafSize(room int) uint64 { return leafWords + 8*uint64(room) }

func nodeSize(n int) uint64 { return nodeFirst + nodeStep*uint64(n) }

func doomSize(n int) uint64 { return doomFirst + doomStep*uint64(n) }
