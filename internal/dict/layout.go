package dict

import (
	"multiproc/internal/arena"
	"multiproc/internal/robust"
)

// The words of the dict. Offsets are from the beginning of the segment, behind whose
// header (shm.HeaderSize) they stand.
//
//	  128  births   how many entries were ever made
//	  192  gen      how often the dict was cleared
//	  200  batch    see batch.go
//	  256  tail     of the arena
//	  320  batcher  the lock of who changes several entries at one moment
//	 1024  front    of each shard
//	16384  back     of each shard
const (
	offBirths  = 128
	offGen     = 192
	offBatch   = 200
	offTail    = 256
	offBatcher = 320
	offFronts  = 1024
	offBacks   = 16 << 10
)

// The front of a shard. Readers look at the second line, which is hardly ever written.
//
//	 0  lock   robust; in the first 16 KiB of the segment, so that it can be resident
//	16  clock  the version of the latest change
//	24  count  of entries in the high half, of their comings and goings in the low one
//	32  holes  entries of the log that were deleted
//	40  sweep  which chunk of the log is looked at next
//	48  list   of entries of a batch under way
//	56  looked entries up to that birth were looked at, see ttl.go
//	64  root   where the directory is, and how deep, see below
//	72  gen    as of the dict, when the shard was empty for the last time
//	80  first  the directory of depth 0
//	88  log    the directory of the log; 0: there is none
//	96  table  one that was left, for the next one
//	104 next   no entry's time is up before; 0: that of none ever is
//	112 least  the same of the entries that were looked at, or set since
const (
	frontLock  = 0
	frontClock = robust.LockSize
	frontCount = 24
	frontHoles = 32
	frontSweep = 40
	frontList  = 48
	frontLook  = 56
	frontRoot  = 64
	frontGen   = 72
	frontFirst = 80
	frontLog   = 88
	frontTable = 96
	frontNext  = 104
	frontLeast = 112

	frontSize = 128
)

// The back of a shard: its heap, and its journal.
const (
	backHeap    = 0
	backJournal = arena.HeapSize

	backSize = arena.HeapSize + arena.JournalSize
)

// MaxBits is how many bits of a hash choose a shard, at most.
const MaxBits = 6

// tailAt is the first offset that is not in use at first.
func tailAt(bits uint) uint64 { return offBacks + backSize<<bits }

// root is where a directory begins, and how many bits of the hash choose a word of it,
// behind those that choose the shard. 0 is that of the word first.
type root uint64

func rootAt(off uint64, depth uint) root { return root(off<<8 | uint64(depth)) }

func (r root) off() uint64 { return uint64(r >> 8) }
func (r root) depth() uint { return uint(r & 0xff) }

// maxDepth of a directory: with fewer than 32 bits left tags and places in a table
// would not tell keys apart.
const maxDepth = 26

// The kinds of blocks.
const (
	kindKey   = 1 + iota // owner: the hash of the key
	kindValue            // the same
	kindTable            // owner: a hash of its keys
	kindDirectory
	kindLog
	kindChunk // owner: the birth of its first entry
	kindList
)

// A table is a block of words, a power of two of them with the two of the block's head:
//
//	0  depth  how many bits all its keys have in common, behind those of the shard; from
//	   bit 8 on, how many slots there are
//	1  used   slots that are not empty in the low half, those of entries in the high one
//	2  slots
//
// A key is looked for from the slot on that its hash says, up to an empty one.
const (
	tableDepth = 0
	tableUsed  = 8
	tableSlots = 16

	tableSlotsShift = 8

	minTable = 128 - 16
	maxTable = 4096 - 16
	maxSlots = (maxTable - tableSlots) / 8
)

// A slot is empty, or dead, or it says where an entry is, in units of 8 bytes, and has
// in its high bits some of the hash of the key.
const (
	slotDead = 1
	refBits  = 41
	tagMask  = 1<<(64-refBits) - 1
)

func slotOf(entry, hash uint64) uint64 { return entry>>3 | hash<<refBits }

func entryOf(slot uint64) uint64 { return slot & (1<<refBits - 1) << 3 }

// An entry, in a chunk of the log:
//
//	 0  key    a word, or where its block is
//	 8  state  see below
//	16  birth  entries that were made later have greater ones
//	24  value  two slots: words, or where their blocks are
//
// The state is 0 of an entry that is not there. Otherwise bit 0 is which of the slots
// has the value, and bits 4 to 63 are the version. What bits 1 to 3 say is in batch.go.
//
// The other slot has what the last change left there. A change writes to it, and then
// the state: one store that makes value and version known.
//
// Where entries have a time to live two more words follow, one for each slot: when the
// time of the value there is up, see ttl.go.
const (
	entryKey   = 0
	entryState = 8
	entryBirth = 16
	entryValue = 24

	entryDue = 40

	entrySize  = 40
	setEntry   = 24 // of a set, whose entries have no values
	timedEntry = 56 // of a dict whose entries have a time to live

	stateSlot    = 1
	statePending = 2
	stateVersion = 4 // bits to shift
)

// A chunk has the entries of a stretch of time, as they came:
//
//	 0  entries so far
//	 8  room
//	16  entries
const (
	chunkLen   = 0
	chunkRoom  = 8
	chunkFirst = 16

	minChunk = 4
	maxChunk = 128
)

// The directory of the log:
//
//	0  chunks
//	8  where they are, the oldest first
const (
	logLen   = 0
	logFirst = 8
)

// The block of a key that is not a word:
//
//	 0  word   of what it equals, if that is one
//	 8  length of what it equals, or 0; in the high half that of what was given, or 0 if
//	    that is the same
//	16  both
//
// The block of a value that is not a word is its length and its bytes.
const (
	keyWord  = 0
	keyLens  = 8
	keyBytes = 16

	valueLen   = 0
	valueBytes = 8
)
