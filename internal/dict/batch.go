package dict

import (
	"context"
	"sync/atomic"

	"multiproc/internal/cell"
	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/pin"
)

// A batch changes several entries at one moment. There is one at a time, of the holder
// of the batch lock. It says of each entry, in its state, that it is pending, and what
// becomes of it; then one store to the word "batch" of the dict makes all of it so; then
// the entries' states are made what they are, one by one.
//
//	batch: bit 0: the batch under way has happened; the rest counts
//	state: bit 1: pending; bits 2 and 3: what the batch does
//
//	            before             after
//	replaced    version, slot      version + 1, the other slot
//	deleted     version, slot      none
//	inserted    none               version, slot
//
// Whoever reads a pending entry looks at the word. Whoever wants to change one waits for
// the batch. The entries that are pending stand in lists, a piece in each shard: whoever
// inherits the batch lock goes through these, and makes the entries what they are to be,
// or were.
const (
	opShift   = 2
	opMask    = 3 << opShift
	opReplace = statePending | 0<<opShift
	opDelete  = statePending | 1<<opShift
	opInsert  = statePending | 2<<opShift
)

// A piece of the list:
//
//	 0  next  piece
//	 8  entries
//	16  of each where it is, and its number among the changes of the batch
const (
	listNext  = 0
	listLen   = 8
	listFirst = 16
	listEntry = 16
)

// piece is how many entries are changed at a time, under the locks of all their shards: so
// new entries have births in the order of the changes, and in that of the shards' logs.
const piece = 64

// Change is a change of an entry.
type Change struct {
	Key   Key
	Value cell.Cell
	Gone  bool // it is taken out
	Keep  bool // it stays as it is if it is there

	due uint64 // when its time is up; 0: never
}

// pending is what the state of a pending entry says at this moment.
func (d *Dict) pending(state uint64) (version, slot uint64) {
	version, slot = state>>stateVersion, state&stateSlot
	happened := d.load(offBatch)&1 != 0
	switch state & (opMask | statePending) {
	case opReplace:
		if happened {
			version, slot = version+1, slot^1
		}
	case opDelete:
		if happened {
			version = 0
		}
	default:
		if !happened {
			version = 0
		}
	}
	return version, slot
}

// settle waits for the end of a batch under way.
func (d *Dict) settle(ctx context.Context) error {
	if err := d.lockBatch(ctx); err != nil {
		return err
	}
	d.batch.Unlock()
	return nil
}

// lockBatch takes the batch lock, and ends the batch of a holder that died.
func (d *Dict) lockBatch(ctx context.Context) error {
	if _, err := d.batch.Lock(ctx); err != nil {
		return err
	}
	if err := d.finish(ctx); err != nil {
		d.batch.Unlock()
		return err
	}
	return nil
}

// Batch makes all changes at one moment, and returns how many entries came and went. Of
// several changes of one key the last counts, in the place of the first.
func (d *Dict) Batch(ctx context.Context, changes []Change) (came, went int, err error) {
	if changes, err = single(changes); err != nil {
		return 0, 0, err
	}
	if err := d.lockBatch(ctx); err != nil {
		return 0, 0, err
	}
	defer d.batch.Unlock()
	due := dueIn(d.now(), d.TTL) // one for all: they came together, and go together
	for i := range changes {
		changes[i].due = due
	}
	b := batch{d: d}
	if err = b.all(ctx, changes); err == nil {
		d.happen(b.number)
		came, went = b.came, b.went
	}
	// What is left to be done does not depend on anybody's patience.
	if failed := d.finish(context.WithoutCancel(ctx)); err == nil {
		err = failed
	}
	return came, went, err
}

// happen makes a batch of so many changes happen. That they are told to those who watch is
// decided here, once for all of them; who begins to watch waits for the end of a batch.
func (d *Dict) happen(n uint64) {
	first := uint64(0)
	if n > 0 && d.load(offWatched) == watched {
		d.owe()
		first = atomic.AddUint64(d.word(offNumber), n) - n + 1
	}
	if first != d.load(offFirst) {
		fence.StoreRelease64(d.word(offFirst), first)
		failpoint.Hit("dict.numbered")
	}
	failpoint.Hit("dict.batch")
	fence.StoreRelease64(d.word(offBatch), d.load(offBatch)|1) // the moment
	failpoint.Hit("dict.batched")
}

// all makes the entries of all changes pending.
func (b *batch) all(ctx context.Context, changes []Change) (err error) {
	for len(changes) > 0 && err == nil {
		n := min(piece, len(changes))
		err = b.prepare(ctx, changes[:n])
		changes = changes[n:]
	}
	return err
}

// few is how many entries are looked at with the locks of all shards.
const few = 64

// Retain takes out all entries of which keep does not say that they stay, at one moment,
// and returns how many.
//
// It goes through the dict as others do who read it. What comes meanwhile stands at the
// end; when little has come it looks at the last of it with the locks of all shards.
func (d *Dict) Retain(ctx context.Context, keep func(e *Entry) bool) (went int, err error) {
	if err := d.lockBatch(ctx); err != nil {
		return 0, err
	}
	defer d.batch.Unlock()
	b, r := batch{d: d}, retaining{d: d, keep: keep}
	for more := true; more && err == nil; {
		if more, err = r.look(ctx); err == nil {
			err = b.all(ctx, r.gone)
			r.gone = nil
		}
	}
	calls := make([]call, len(d.shards))
	for over := err != nil; !over; {
		var failed error
		over, err = d.attempt(ctx, calls, func(calls []call) { failed = r.last(ctx, &b, calls) })
		if err == nil {
			err = failed
		}
	}
	if err == nil {
		went = b.went
	}
	if failed := d.finish(context.WithoutCancel(ctx)); err == nil {
		err = failed
	}
	return went, err
}

// retaining is a Retain under way.
type retaining struct {
	d     *Dict
	keep  func(e *Entry) bool
	after uint64   // entries up to that birth were looked at
	gone  []Change // of these
}

// look looks at some more entries, and reports whether there may be many more.
func (r *retaining) look(ctx context.Context) (more bool, err error) {
	page, err := r.d.Page(ctx, r.after, few)
	for i := range page {
		e := &page[i]
		r.after = e.Birth
		if !r.keep(e) {
			r.gone = append(r.gone, Change{Key: r.d.Key(e.equal, nil), Gone: true})
		}
	}
	return len(page) == few, err
}

// last looks at the rest, with all locks, and makes the batch happen.
func (r *retaining) last(ctx context.Context, b *batch, calls []call) error {
	for more := true; more || len(r.gone) > 0; {
		for ; len(r.gone) > 0; r.gone = r.gone[1:] {
			c := &calls[r.d.shardIndex(r.gone[0].Key.hash)]
			list := c.newList(1)
			if list == 0 || !b.one(c, list, &r.gone[0]) {
				return nil // lost: another attempt goes on from here
			}
		}
		if more {
			var err error
			if more, err = r.look(ctx); err != nil {
				return err
			}
		}
	}
	r.d.happen(b.number)
	return nil
}

// single leaves one change of each key.
func single(changes []Change) ([]Change, error) {
	at := make(map[Identity]int, len(changes))
	out := make([]Change, 0, len(changes))
	for _, c := range changes {
		if err := fits(&c.Key, c.Value); err != nil {
			return nil, err
		}
		id := c.Key.Identity()
		if i, ok := at[id]; ok {
			out[i].Value, out[i].Gone, out[i].Keep = c.Value, c.Gone, c.Keep
			continue
		}
		at[id] = len(out)
		out = append(out, c)
	}
	return out, nil
}

// batch is a batch that is being prepared.
type batch struct {
	d          *Dict
	came, went int
	number     uint64      // of changes so far
	calls      [piece]call // of the shards of the changes, in the order of the shards
	lists      [piece]uint64
	numbers    [piece]uint64 // of the changes of each
}

// prepare makes the entries of some changes, up to piece, pending.
func (b *batch) prepare(ctx context.Context, changes []Change) error {
	var shards [piece]*shard
	var which [piece]int // of the shards is that of a change
	n := b.shards(changes, &shards, &which)
	clear(b.lists[:])
	next := 0
	for {
		for i := range n {
			if _, err := shards[i].lock.Lock(ctx); err != nil {
				for j := range i {
					shards[j].lock.Unlock()
				}
				return err
			}
		}
		pin.On()
		ready := true
		for i := range n {
			b.calls[i] = b.d.callOf(shards[i])
			ready = b.calls[i].begin() && ready
		}
		for ; ready && next < len(changes); next++ {
			i := which[next]
			c := &b.calls[i]
			if b.lists[i] == 0 {
				b.lists[i] = c.newList(b.numbers[i])
			}
			if b.lists[i] == 0 || !b.one(c, b.lists[i], &changes[next]) {
				break
			}
		}
		pin.Off()
		for i := range n {
			shards[i].lock.Unlock()
		}
		for i := range n {
			b.calls[i].after()
			b.calls[i].done = false
			if _, err := b.calls[i].over(); err != nil {
				return err
			}
		}
		if next == len(changes) {
			return nil
		}
	}
}

// shards finds the shards of changes, in order, and returns how many there are.
func (b *batch) shards(changes []Change, shards *[piece]*shard, which *[piece]int) (n int) {
	var index [1 << MaxBits]int
	for i := range changes {
		index[b.d.shardIndex(changes[i].Key.hash)]++
	}
	for i, number := range index {
		if number > 0 {
			shards[n], b.numbers[n] = &b.d.shards[i], uint64(number)
			index[i] = n
			n++
		}
	}
	for i := range changes {
		which[i] = index[b.d.shardIndex(changes[i].Key.hash)]
	}
	return n
}

func (d *Dict) shardIndex(hash uint64) uint64 { return hash >> (64 - d.Bits) }

// newList begins a piece of the list of a shard.
func (c *call) newList(n uint64) (list uint64) {
	h := &c.h
	h.Again()
	size := listFirst + listEntry*n
	if !h.Ensure(size, 1) {
		return 0
	}
	list = h.Alloc(size, kindList, 0)
	*h.OwnWord(list + listNext), *h.OwnWord(list + listLen) = c.s.load(frontList), 0
	h.Put(c.s.at+frontList, list)
	if !h.Commit() {
		return 0
	}
	return list
}

// enlist writes down that an entry is pending, in the transaction.
func (c *call) enlist(list, entry, number uint64) {
	n := c.h.Load(list + listLen)
	if listFirst+listEntry*n >= c.h.BlockAt(list).Len {
		c.h.Damaged(list)
		return
	}
	at := list + listFirst + listEntry*n
	*c.h.OwnWord(at), *c.h.OwnWord(at + 8) = entry, number
	c.h.Put(list+listLen, n+1)
}

// one makes the entry of a change pending, and reports whether it could.
func (b *batch) one(c *call, list uint64, ch *Change) bool {
	h := &c.h
	h.Again()
	c.due = ch.due
	table, _ := c.table(ch.Key.hash)
	slot, entry := uint64(0), uint64(0)
	if table != 0 {
		slot, entry, _ = c.find(table, &ch.Key)
	}
	if entry != 0 && c.overdue(entry) && !h.Lost() {
		if !c.forget(table, slot, entry) {
			return false
		}
		entry = 0
	}
	switch {
	case h.Lost():
		return false
	case entry == 0 && ch.Gone || entry != 0 && ch.Keep:
		return true
	case entry == 0:
		c.done = false
		c.insert(&ch.Key, ch.Value, opInsert, list, b.number)
		if !c.done {
			return false
		}
		b.came++
		b.number++
		return true
	}
	state := h.Load(entry + entryState)
	if state&statePending != 0 { // of whom?
		h.Damaged(entry)
		return false
	}
	op, went := uint64(opReplace), 0
	if ch.Gone {
		op, went = opDelete, 1
	} else if c.lasts(entry, state&stateSlot^1); !c.d.NoValues && !c.prepare(&ch.Key, entry+entryValue+8*(state&stateSlot^1), ch.Value) {
		return false
	}
	h.Again()
	c.tick() // so that no later change gets the version that this one will have
	c.enlist(list, entry, b.number)
	h.Put(entry+entryState, state|op)
	if !h.Commit() {
		return false
	}
	b.went += went
	b.number++
	return true
}

// finish makes the entries of a batch that has happened what they are to be, those of
// one that has not what they were, and ends it.
func (d *Dict) finish(ctx context.Context) error {
	happened := d.load(offBatch)&1 != 0
	for i := range d.shards {
		s := &d.shards[i]
		for s.load(frontList) != 0 {
			err := d.with(ctx, s, func(c *call) {
				if list := s.load(frontList); list != 0 {
					c.finish(list, happened)
				}
			})
			if err != nil {
				return err
			}
		}
	}
	if happened {
		fence.StoreRelease64(d.word(offBatch), d.load(offBatch)+1)
		failpoint.Hit("dict.finished")
	}
	return nil
}

// finish is that of one piece of the list, from its end on. An entry leaves the list with
// its change: what is in its place afterwards may be another's.
func (c *call) finish(list uint64, happened bool) {
	h := &c.h
	n := h.Load(list + listLen)
	if listFirst+listEntry*n > h.BlockAt(list).Len {
		h.Damaged(list)
	}
	first := c.d.load(offFirst) // of its numbers
	c.watched = c.watched && happened && first != 0
	for ; n > 0 && !h.Lost(); n-- {
		at := list + listFirst + listEntry*(n-1)
		entry, number := h.Load(at), first+h.Load(at+8)
		state := h.Load(entry + entryState)
		op := state & (opMask | statePending)
		version, slot := state>>stateVersion, state&stateSlot
		if op == opReplace {
			c.foretell(entry, slot^1, false)
		} else {
			c.foretell(entry, slot, op == opDelete)
		}
		h.Again()
		h.Put(list+listLen, n-1)
		switch {
		case state&statePending == 0:
			h.Damaged(entry)
		case op == opReplace && happened:
			c.tell(entry, slot^1, version+1, false, number)
			h.Put(entry+entryState, (version+1)<<stateVersion|slot^1)
		case op == opInsert && happened:
			c.count(1)
			c.tell(entry, slot, version, false, number)
			h.Put(entry+entryState, version<<stateVersion|slot)
		case op == opDelete && happened, op == opInsert:
			hash := c.hashOf(entry)
			table, _ := c.table(hash)
			version := c.unlink(table, c.slotWith(hash, slotOf(entry, hash)), entry, op == opDelete)
			c.tell(entry, 0, version, true, number)
		default:
			h.Put(entry+entryState, version<<stateVersion|slot)
		}
		if !h.Commit() {
			return
		}
	}
	h.Again()
	h.Put(c.s.at+frontList, h.Load(list+listNext))
	h.Free(list)
	h.Commit()
}
