package dict

import (
	"context"
	"math"
	"sync/atomic"

	"multiproc/internal/failpoint"
	"multiproc/internal/pin"
)

// What is about the dict as a whole is read without locks if nobody changes it
// meanwhile, and with the locks of all shards otherwise.

// calm is the state of a dict that nobody is changing.
type calm struct {
	gen, batch uint64
	clocks     [1 << MaxBits]uint64
}

// calm reports what the clocks of all shards say; false if somebody is in a shard, or
// died in one, or has to map memory before he can complete what the dead left. As long as they say so nothing has changed: a change moves the clock
// before it is made, under the lock.
func (d *Dict) calm() (c calm, ok bool) {
	c.gen, c.batch = d.load(offGen), d.load(offBatch)
	if c.batch&1 != 0 {
		return c, false
	}
	for i := range d.shards {
		s := &d.shards[i]
		if !s.lock.Idle() || atomic.LoadUint64(s.count) != 0 {
			return c, false
		}
		c.clocks[i] = s.load(frontClock)
	}
	return c, true
}

// still reports whether nothing has changed since.
func (d *Dict) still(c *calm) bool {
	for i := range d.shards {
		if d.shards[i].load(frontClock) != c.clocks[i] {
			return false
		}
	}
	return d.load(offGen) == c.gen && d.load(offBatch) == c.batch
}

// Len is the number of entries at one moment.
//
// Cost: where entries have a time to live, and that of some is up, it takes them out
// first, and for that looks at all entries of their shards.
func (d *Dict) Len(ctx context.Context) (n int, err error) {
	for range tries {
		c, ok := d.calm()
		n, exact := d.count(d.now())
		switch {
		case !exact:
			if err := d.expireAll(ctx); err != nil {
				return 0, err
			}
		case ok && d.still(&c):
			return n, nil
		}
	}
	err = d.together(ctx, func(calls []call) {
		exact := true
		if n, exact = d.count(calls[0].now); !exact {
			n = living(calls)
		}
	})
	return n, err
}

// count adds the shards' counts. exact is false if the time of some of the entries may
// be up.
func (d *Dict) count(now int64) (n int, exact bool) {
	gen := d.load(offGen)
	exact = true
	for i := range d.shards {
		if s := &d.shards[i]; s.load(frontGen) == gen {
			n += int(s.load(frontCount) >> 32)
			exact = exact && !isOver(s.load(frontNext), now)
		}
	}
	return n, exact
}

// All reads all entries as they are at one moment, in their order.
//
// Cost: while others change the dict it holds up those who do until it is through.
func (d *Dict) All(ctx context.Context) (all []Entry, err error) {
	if c, ok := d.calm(); ok {
		if all, err = d.Page(ctx, 0, math.MaxInt); err != nil || d.still(&c) {
			return all, err
		}
	}
	var failed error
	err = d.together(ctx, func([]call) { all, failed = d.Page(ctx, 0, math.MaxInt) })
	if err == nil {
		err = failed
	}
	return all, err
}

// together calls f with the locks of all shards; no batch is under way. f may be
// preempted, and allocate. The locks are taken in the order of the shards.
func (d *Dict) together(ctx context.Context, f func(calls []call)) error {
	if err := d.lockBatch(ctx); err != nil {
		return err
	}
	defer d.batch.Unlock()
	calls := make([]call, len(d.shards))
	for {
		over, err := d.attempt(ctx, calls, f)
		if over {
			return err
		}
	}
}

func (d *Dict) attempt(ctx context.Context, calls []call, f func(calls []call)) (over bool, err error) {
	ready := true
	for i := range d.shards {
		s := &d.shards[i]
		calls[i] = d.callOf(s)
		if _, err := s.lock.Lock(ctx); err != nil {
			for j := range i {
				d.shards[j].lock.Unlock()
			}
			return true, err
		}
		ready = calls[i].begin() && ready
	}
	now := d.now()
	for i := range calls {
		calls[i].now = now // the same for all
	}
	if ready {
		f(calls)
	}
	for i := range d.shards {
		d.shards[i].lock.Unlock()
	}
	for i := range calls {
		calls[i].after()
	}
	over = true
	for i := range calls {
		done, failed := calls[i].over()
		over = over && done
		if failed != nil {
			err = failed
		}
	}
	return over || err != nil, err
}

// PopItem takes out the entry that was made last; false if there is none.
func (d *Dict) PopItem(ctx context.Context) (e Entry, ok bool, err error) {
	if err := d.expireAll(ctx); err != nil {
		return e, false, err
	}
	err = d.together(ctx, func(calls []call) {
		ok = false
		var last *call
		at, birth := uint64(0), uint64(0)
		for i := range calls {
			if entry, b := calls[i].last(); b > birth {
				last, at, birth = &calls[i], entry, b
			}
		}
		for i := range calls {
			if calls[i].h.Lost() {
				return
			}
		}
		if last == nil {
			return
		}
		e.Found, _ = last.read(at, nil)
		e.Key, e.equal = last.key(at)
		e.Birth = birth
		hash := last.hashOf(at)
		table, _ := last.table(hash)
		slot := last.slotWith(hash, slotOf(at, hash))
		if last.h.Lost() {
			return
		}
		pin.On()
		last.remove(table, slot, at)
		pin.Off()
		ok = last.done
	})
	return e, ok && err == nil, err
}

// last is the last entry of a shard, and its birth; 0 if there is none. No batch is
// under way.
func (c *call) last() (entry, birth uint64) {
	log := c.s.load(frontLog)
	if log == 0 {
		return 0, 0
	}
	for i := c.chunks(log); i > 0; i-- {
		chunk := c.h.Load(log + logFirst + 8*(i-1))
		for j := c.entries(chunk); j > 0; j-- {
			at := chunk + chunkFirst + (j-1)*c.d.entry
			if state := c.h.Load(at + entryState); state != 0 && !c.expired(at, state&stateSlot) {
				return at, c.h.Load(at + entryBirth)
			}
		}
	}
	return 0, 0
}

// Clear takes all entries out, by one store: shards that say to be of another time are
// empty. Their memory is given back by the one who clears, and if he dies by the next
// one who changes something there.
func (d *Dict) Clear(ctx context.Context) error {
	if err := d.lockBatch(ctx); err != nil {
		return err
	}
	told := d.load(offWatched) == watched
	if told {
		d.owe()
	}
	atomic.AddUint64(d.word(offGen), 1) // the moment
	failpoint.Hit("dict.cleared")
	d.batch.Unlock()
	if told {
		d.spread(newsTold)
	}
	for i := range d.shards {
		d.giveBack(ctx, &d.shards[i])
	}
	return nil
}

// giveBack empties a shard of a dict that was cleared, and gives its memory back. What is
// not done here is done by the next who changes something in it.
func (d *Dict) giveBack(ctx context.Context, s *shard) {
	more := s.load(frontLog) != 0
	for n := d.load(offTail) / minTrim; more && n > 0; n-- { // or it goes round in a circle
		if d.with(ctx, s, func(c *call) { more = c.h.Ample() && c.h.Trim() }) != nil {
			return
		}
	}
}

// minTrim is how many bytes are given back at a time, at least.
const minTrim = 512
