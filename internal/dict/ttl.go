package dict

import (
	"context"
	"errors"
	"fmt"
	"time"

	"multiproc/internal/cell"
	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
)

// Entries with a time to live have a word that says when it is up, in nanoseconds of
// machine.Monotonic, which is the same in all processes; 0 is never. From then on an entry
// is as good as deleted, whether somebody has taken it out or not.
//
// There is such a word for each of the two slots of a value, and the state, which says
// which slot counts, says with that which word does: a change writes the word and the
// value of the slot that nobody reads, and one store to the state makes both known. So
// no reader sees a new value with an old end, or the reverse; one word would have to
// change with the state in one transaction, and readers would look at the journal.
// Whoever dies before the store to the state has changed nothing.
//
// Readers compare, and write nothing. Writers take out what they meet, and with each
// change look at some entries more, in the order of the log, from where the last one
// stopped ("looked"). Two words of the shard say whether it is worth it:
//
//	next   no entry's time is up before. It is lowered before an entry is made known
//	       that has less time, and raised when all entries were looked at
//	least  what next is to be then: the least of those that were looked at, and are
//	       still there, and of all that were set since
//
// Both are bounds: too low a one costs a look at the log, too high a one would make Len
// count what is gone. So who dies between lowering them and the change does no harm, and
// what a look has found is written in one transaction with how far it came.

// now is what the clock says; 0 if no entry's time is ever up.
func (d *Dict) now() int64 {
	if d.clock == nil {
		return 0
	}
	return d.clock()
}

// isOver reports whether a time is up.
func isOver(due uint64, now int64) bool { return due != 0 && due <= uint64(now) }

// dueIn is when a time to live is up that begins now.
func dueIn(now int64, ttl time.Duration) uint64 {
	if ttl <= 0 || now == 0 {
		return 0
	}
	return uint64(now) + uint64(ttl)
}

// SetFor is Set in any case, of an entry with a time to live of its own.
func (d *Dict) SetFor(ctx context.Context, k *Key, v cell.Cell, ttl time.Duration) error {
	switch {
	case !d.Timed:
		return errUntimed
	case ttl <= 0:
		return fmt.Errorf("a time to live of %v: %w", ttl, mperr.ErrValue)
	}
	if err := fits(k, v); err != nil {
		return err
	}
	_, err := d.change(ctx, k, v, false, Always, ttl)
	return err
}

var errUntimed = fmt.Errorf("it was made without a time to live, and its entries have no room for one: %w", errors.ErrUnsupported)

// expired reports whether the time of the value in a slot of an entry is up.
func (c *call) expired(entry, slot uint64) bool {
	return c.now != 0 && isOver(c.h.Load(entry+entryDue+8*slot), c.now)
}

// overdue reports whether the time of an entry is up that is not pending.
func (c *call) overdue(entry uint64) bool {
	if c.now == 0 {
		return false
	}
	state := c.h.Load(entry + entryState)
	return state&statePending == 0 && c.expired(entry, state&stateSlot)
}

// lasts writes down when the time of the value in a slot is up, before anybody sees it.
func (c *call) lasts(entry, slot uint64) {
	if c.now == 0 || c.h.Lost() {
		return
	}
	if c.due != 0 {
		for _, word := range [...]uintptr{frontLeast, frontNext} {
			if was := c.s.load(word); was == 0 || c.due < was {
				fence.StoreRelease64(c.s.word(word), c.due)
				failpoint.Hit("dict.least")
			}
		}
	}
	fence.StoreRelease64(c.h.OwnWord(entry+entryDue+8*slot), c.due)
	failpoint.Hit("dict.due")
}

const (
	looks    = 16 // at entries, with each change
	maxLooks = 64 // at once
)

// expire looks at some entries, and takes out those of which the time is up. It reports
// whether it came to the end of the log.
func (c *call) expire(looks int) (end bool) {
	if c.now == 0 || !isOver(c.s.load(frontNext), c.now) || c.h.Lost() {
		return true
	}
	h := &c.h
	x := stretch{c: *c, last: c.s.load(frontLook)}
	least := c.s.load(frontLeast)
	lower := func(due uint64) {
		if due != 0 && (least == 0 || due < least) {
			least = due
		}
	}
	// All are found before one is taken out: that shortens the log, of which it is then
	// the last.
	var found [maxLooks]uint64
	n := 0
	for x.seek(); x.birth != 0 && n < looks && !x.c.h.Lost(); x.next() {
		found[n] = x.at
		n++
		x.last = x.birth
	}
	end = x.birth == 0
	h.View = x.c.h.View
	for _, entry := range found[:n] {
		if h.Lost() {
			return false
		}
		state := h.Load(entry + entryState)
		slot := state & stateSlot
		switch {
		case state == 0:
		case state&statePending != 0: // either may come to count
			lower(h.Load(entry + entryDue))
			lower(h.Load(entry + entryDue + 8))
		case c.expired(entry, slot):
			hash := c.hashOf(entry)
			table, _ := c.table(hash)
			at := c.slotWith(hash, slotOf(entry, hash))
			if h.Lost() || !c.forget(table, at, entry) {
				return false
			}
		default:
			lower(h.Load(entry + entryDue + 8*slot))
		}
	}
	h.Again()
	if end {
		h.Put(c.s.at+frontNext, least)
		h.Put(c.s.at+frontLeast, 0)
		h.Put(c.s.at+frontLook, 0)
	} else {
		h.Put(c.s.at+frontLeast, least)
		h.Put(c.s.at+frontLook, x.last)
	}
	return h.Commit() && end
}

// expireAll takes out all entries of which the time is up by now, but those that are
// pending.
func (d *Dict) expireAll(ctx context.Context) error {
	now := d.now()
	if now == 0 {
		return nil
	}
	for i := range d.shards {
		s := &d.shards[i]
		// A look that began before may have passed by some: there is a second one.
		for ends := 0; ends < 2 && s.load(frontGen) == d.load(offGen) && isOver(s.load(frontNext), now); {
			end := false
			if err := d.with(ctx, s, func(c *call) { end = c.expire(maxLooks) }); err != nil {
				return err
			}
			if end {
				ends++
			}
		}
	}
	return nil
}

// living counts the entries of which the time is not up, with the locks of all shards. No
// batch is under way.
func living(calls []call) (n int) {
	for i := range calls {
		c := &calls[i]
		log := c.s.load(frontLog)
		if log == 0 {
			continue
		}
		for j := range c.chunks(log) {
			chunk := c.h.Load(log + logFirst + 8*j)
			for k := range c.entries(chunk) {
				at := chunk + chunkFirst + k*c.d.entry
				if state := c.h.Load(at + entryState); state != 0 && !c.expired(at, state&stateSlot) {
					n++
				}
			}
		}
	}
	return n
}
