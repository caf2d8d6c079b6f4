package dict

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
	"unsafe"

	"multiproc/internal/arena"
	"multiproc/internal/fence"
	"multiproc/internal/machine"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

// Config is what makes a dict; it stands in the header of its segment.
type Config struct {
	Bits     uint          // of a hash choose a shard
	NoValues bool          // it is a set
	Timed    bool          // entries have a time to live
	TTL      time.Duration // of those that Set sets, in microseconds; 0: without end
}

// Params are the parameters of a segment for a new dict.
func (c Config) Params() [4]uint64 {
	form := uint64(c.Bits)
	if c.NoValues {
		form |= 1 << 8
	}
	if c.Timed {
		whole := uint64(c.TTL / time.Microsecond)
		if c.TTL%time.Microsecond != 0 {
			whole++
		}
		form |= 1<<9 | whole<<10
	}
	return [4]uint64{form, rand.Uint64() | 1, rand.Uint64() | 1}
}

// Size is that of a segment: as large as can be, of which only what is used takes
// memory.
func Size() int64 { return min(arena.MaxSize, shm.MaxFile()&^(1<<20-1)) }

// Dict is this process's handle to a dict. Its methods may be called by many
// goroutines.
type Dict struct {
	Config
	space  arena.Space
	base   unsafe.Pointer // of the segment
	seed   [2]uint64
	entry  uint64       // bytes of one
	clock  func() int64 // nil: no entry's time is ever up
	shards []shard
	batch  robust.Lock

	watching
}

// shard is what this process has of one.
type shard struct {
	lock  robust.Lock
	front unsafe.Pointer
	at    uint64 // of the front
	back  uint64
	moves *uint64 // see arena.View.Moves
	count *uint64 // of the journal
	feed  uint64  // where its words are
}

// Attach makes d a handle to the dict in seg, whose first arena.FirstWindow bytes are
// mapped at base.
func (d *Dict) Attach(seg *shm.Segment, base unsafe.Pointer) error {
	form := seg.Params[0]
	d.Config = Config{
		Bits: uint(form & 0xff), NoValues: form&(1<<8) != 0, Timed: form&(1<<9) != 0,
		TTL: time.Duration(min(form>>10, math.MaxInt64/1000)) * time.Microsecond,
	}
	if d.Bits > MaxBits || !d.Timed && form>>9 != 0 || d.Timed && d.NoValues || seg.Size < arena.FirstWindow {
		return fmt.Errorf("%s %s: form %#x, %d bytes: %w", seg.Kind, seg.ID, form, seg.Size, mperr.ErrCorrupt)
	}
	d.base, d.seed, d.entry = base, [2]uint64{seg.Params[1], seg.Params[2]}, entrySize
	if d.NoValues {
		d.entry = setEntry
	}
	if d.Timed {
		d.entry, d.clock = timedEntry, machine.Monotonic
	}
	// Whoever is first says where the heap begins.
	atomic.CompareAndSwapUint64(d.word(offTail), 0, tailAt(d.Bits))
	if err := d.space.Init(seg, base, seg.Size, offTail); err != nil {
		return err
	}
	d.shards = make([]shard, 1<<d.Bits)
	for i := range d.shards {
		s := &d.shards[i]
		s.at, s.back = offFronts+uint64(i)*frontSize, offBacks+uint64(i)*backSize
		s.feed = offFeeds + uint64(i)*feedSize
		s.front = unsafe.Add(base, s.at)
		s.count = d.word(uintptr(s.back + backJournal))
		s.moves = d.word(uintptr(s.back + backHeap + arena.OffMoves))
		s.lock.Init(unsafe.Add(s.front, frontLock))
		s.lock.AllowResident()
	}
	d.batch.Init(unsafe.Add(base, offBatcher))
	d.attachWatching()
	return nil
}

// Detach is called before the memory is unmapped.
func (d *Dict) Detach() {
	for i := range d.shards {
		d.shards[i].lock.Detach()
	}
	d.batch.Detach()
	d.detachWatching()
}

// Abort makes those who wait through this handle give up with ErrClosed, now and later.
func (d *Dict) Abort() {
	for i := range d.shards {
		d.shards[i].lock.Abort()
	}
	d.batch.Abort()
	d.bell.Abort()
	d.door.Abort()
}

func (d *Dict) word(off uintptr) *uint64 { return (*uint64)(unsafe.Add(d.base, off)) }

func (d *Dict) load(off uintptr) uint64 { return atomic.LoadUint64(d.word(off)) }

// shardOf is where the keys of a hash are.
func (d *Dict) shardOf(hash uint64) *shard { return &d.shards[hash>>(64-d.Bits)] }

func (s *shard) word(off uintptr) *uint64 { return (*uint64)(unsafe.Add(s.front, off)) }

func (s *shard) load(off uintptr) uint64 { return atomic.LoadUint64(s.word(off)) }

// call is what one call has of a shard. With the lock it changes it, too.
type call struct {
	d *Dict
	s *shard
	h arena.Heap // changes it, with the lock

	now   int64  // entries of which the time is up by then are not there; 0: all are
	due   uint64 // when the time of what is set is up; 0: never
	ticks uint64 // how often the call has moved the clock

	done    bool  // the change is made; what follows is not needed
	watched bool  // changes are told to those who watch
	news    uint8 // what is to be done when the lock is free again, see after
}

func (d *Dict) callOf(s *shard) call {
	c := call{d: d, s: s}
	c.h.Space = &d.space
	return c
}

// errSpace is the error of a dict that is full.
var errSpace = errors.New("there is no address space left in it")

// found makes the call's view a good one, so that it can be tried again.
func (c *call) found() error {
	if c.h.Full() {
		return fmt.Errorf("%w: %w", errSpace, mperr.ErrTooLarge)
	}
	return c.h.Find()
}

// with calls f with the lock of a shard, again if its view was lost before it was done.
// f does not allocate.
func (d *Dict) with(ctx context.Context, s *shard, f func(c *call)) error {
	c := d.callOf(s)
	for {
		if _, err := s.lock.Hold(ctx); err != nil {
			return err
		}
		if c.begin() {
			f(&c)
		}
		s.lock.Free().Do()
		c.after()
		if over, err := c.over(); over {
			return err
		}
	}
}

// within is with for an f that may be preempted, and allocate.
func (d *Dict) within(ctx context.Context, s *shard, f func(c *call)) error {
	c := d.callOf(s)
	for {
		if _, err := s.lock.Lock(ctx); err != nil {
			return err
		}
		if c.begin() {
			f(&c)
		}
		s.lock.Unlock()
		c.after()
		if over, err := c.over(); over {
			return err
		}
	}
}

// over reports whether the call need not be tried again; it maps what was missing.
func (c *call) over() (over bool, err error) {
	if !c.h.Lost() {
		return true, nil
	}
	if err = c.found(); c.done {
		return true, nil // somebody else will run into what is wrong
	}
	return err != nil, err
}

// begin completes what the last holder of the lock died over, and empties a shard of a
// dict that was cleared. It reports whether it could.
func (c *call) begin() bool {
	c.h.BeginHeap(c.s.back+backHeap, c.s.back+backJournal)
	c.h.Redo()
	c.now = c.d.now() // it may have waited
	if w := c.d.load(offWatched); w == unwatched {
		c.watched = false
	} else {
		c.heed(w)
	}
	if gen := c.d.load(offGen); !c.h.Lost() && c.s.load(frontGen) != gen {
		c.empty(gen)
	}
	return !c.h.Lost()
}

// empty forgets all entries.
func (c *call) empty(gen uint64) {
	h := &c.h
	h.Again()
	h.Reset()
	for _, word := range [...]uint64{frontRoot, frontFirst, frontLog, frontTable, frontHoles, frontSweep, frontList, frontLook, frontNext, frontLeast} {
		h.Set(c.s.at+word, 0)
	}
	h.Set(c.s.at+frontCount, uint64(uint32(h.Load(c.s.at+frontCount)+1)))
	h.Set(c.s.at+frontGen, gen)
	h.Commit()
	h.Again()
}

// table is where the keys of a hash are in the shard; 0: there are none. It also returns
// the word that says so.
func (c *call) table(hash uint64) (table, word uint64) {
	r := root(c.s.load(frontRoot))
	off, depth := r.off(), r.depth()
	if r == 0 {
		off = c.s.at + frontFirst
	}
	if depth > maxDepth {
		c.h.Damaged(c.s.at)
		return 0, 0
	}
	word = off + hash<<c.d.Bits>>(64-depth)<<3
	return c.h.Load(word), word
}

// find looks for a key in a table, and returns where its slot and its entry are; 0 if
// there is none. free is then the slot for it.
func (c *call) find(table uint64, k *Key) (slot, entry, free uint64) {
	p := c.h.At(table)
	n := c.slots(table)
	tag := k.hash & tagMask
	i := n * (k.hash & (1<<32 - 1)) >> 32
	for range n {
		at := uint64(tableSlots) + i*8
		w := atomic.LoadUint64((*uint64)(unsafe.Add(p, at)))
		switch {
		case w == 0:
			if free == 0 {
				free = table + at
			}
			return 0, 0, free
		case w == slotDead:
			if free == 0 {
				free = table + at
			}
		case w>>refBits == tag:
			if e := entryOf(w); c.matches(e, k) {
				return table + at, e, 0
			}
		}
		if i++; i == n {
			i = 0
		}
	}
	return 0, 0, free
}

// slots is how many slots a table has.
func (c *call) slots(table uint64) uint64 {
	n := c.h.Load(table+tableDepth) >> tableSlotsShift
	if n > maxSlots || n == 0 {
		c.h.Damaged(table)
		return 1
	}
	return n
}

// depth is how many bits the keys of a table have in common.
func (c *call) depth(table uint64) uint64 {
	return c.h.Load(table+tableDepth) & (1<<tableSlotsShift - 1)
}

// matches reports whether an entry has a key.
func (c *call) matches(entry uint64, k *Key) bool {
	return c.d.equals(&c.h.View, c.h.Load(entry+entryKey), k)
}

// tries is how often a reader looks without the lock, while others change what it
// looks at.
const tries = 8

// Get reads the value of a key, and appends its bytes to buf. It takes no lock, writes
// nothing and waits for nobody; only who was overtaken by others again and again takes
// the lock.
//
// Everything is read while others may change it. What is read is right if afterwards
// the entry's state is the same, so nobody has written to the slot, and no memory has
// been used again (arena.View.Moves).
func (d *Dict) Get(ctx context.Context, k *Key, buf []byte) (f Found, err error) {
	if f, ok := d.peek(k, buf); ok {
		return f, nil
	}
	c := d.callOf(d.shardOf(k.hash))
	c.now = d.now() // not in callOf, which is to be inlined
	for range tries {
		moves := c.h.Moves(c.s.back + backHeap)
		gen := d.load(offGen)
		switch now := c.s.load(frontGen); {
		case now < gen:
			return Found{}, nil // cleared, and nobody has been here since
		case now > gen:
			continue // cleared just now
		}
		right := false
		if table, _ := c.table(k.hash); table == 0 {
			f, right = Found{}, true
		} else if _, e, _ := c.find(table, k); e == 0 {
			f, right = Found{}, true
		} else {
			f, right = c.read(e, buf)
		}
		fence.LoadLoad()
		if right && moves == c.h.Moves(c.s.back+backHeap) && !c.h.Lost() {
			return f, nil
		}
		if c.h.Lost() {
			if moves != c.h.Moves(c.s.back+backHeap) {
				c.h.View = arena.View{Space: &d.space}
			} else if err := c.h.Find(); err != nil {
				return Found{}, err
			}
		}
	}
	err = d.within(ctx, c.s, func(c *call) {
		f = Found{}
		if table, _ := c.table(k.hash); table != 0 {
			if _, e, _ := c.find(table, k); e != 0 {
				f, _ = c.read(e, buf)
			}
		}
	})
	return f, err
}

// GetWord is Get for a key that is a word, where the value is one, too; ok is false if it
// is not, or anything else is not as it mostly is: Get knows. It has half as much to do.
func (d *Dict) GetWord(key uint64) (value, version uint64, ok bool) {
	hash := d.hashWord(key)
	s := d.shardOf(hash)
	v := arena.View{Space: &d.space}
	moves := atomic.LoadUint64(s.moves)
	p, n := d.tableAt(&v, s, hash)
	i := n * (hash & (1<<32 - 1)) >> 32
	for range n {
		switch w := atomic.LoadUint64((*uint64)(unsafe.Add(p, tableSlots+8*i))); {
		case w == 0:
			fence.LoadLoad()
			return 0, 0, moves == atomic.LoadUint64(s.moves) && !v.Lost()
		case w>>refBits == hash&tagMask && w != slotDead:
			e := v.At(entryOf(w))
			at := func(word uintptr) uint64 { return atomic.LoadUint64((*uint64)(unsafe.Add(e, word))) }
			switch k := at(entryKey); {
			case k == key:
				// Both slots are asked for, not the one that the state says when it has come:
				// one entry in three stands in two lines.
				state := at(entryState)
				value, other := at(entryValue), at(entryValue+8)
				if state&stateSlot != 0 {
					value = other
				}
				version = state >> stateVersion
				if d.clock != nil && isOver(at(entryDue+uintptr(8*(state&stateSlot))), d.clock()) {
					version = 0
				}
				fence.LoadLoad()
				ok = state != 0 && state&statePending == 0 && value&3 != 0 && at(entryState) == state
				return value, version, ok && moves == atomic.LoadUint64(s.moves) && !v.Lost()
			case k&3 == 0:
				return 0, 0, false
			}
		}
		if i++; i == n {
			i = 0
		}
	}
	return 0, 0, false
}
