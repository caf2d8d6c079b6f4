package objects

import (
	"cmp"
	"time"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// poolIterator is what imap returns: results in the order of the input, or as
// they come.
type poolIterator struct {
	ordered bool

	guarded // guards all of the following
	account
	slots   []arrival // by input if ordered, else by arrival
	arrived int
	next    int
	waiting []*waiter // in the order in which they came
}

type arrival struct {
	there bool
	v     store.Item
	err   error
	size  int // what was charged for it
}

func newPoolIterator(p *pool, n int, ordered bool) *poolIterator {
	return &poolIterator{account: account{store: p.s, payer: p.pays}, ordered: ordered, slots: make([]arrival, n)}
}

// add notes a result and answers those who can go on.
func (it *poolIterator) add(i int, v store.Item, err error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if !it.ordered {
		i = it.arrived
	}
	it.arrived++
	size := v.Size()
	if full := it.charge(size); full != nil {
		v, err, size = none, cmp.Or(err, full), 0
	}
	it.slots[i] = arrival{true, v, err, size}
	for len(it.waiting) > 0 && it.hasNext() {
		w := it.waiting[0]
		it.waiting = it.waiting[1:]
		it.take(w.call)
	}
}

// hasNext reports whether __next__ can be answered.
func (it *poolIterator) hasNext() bool { return it.next == len(it.slots) || it.slots[it.next].there }

func (it *poolIterator) take(c *store.Call) {
	if it.next == len(it.slots) {
		c.Fail(pyvalue.StopIteration())
		return
	}
	s := it.slots[it.next]
	it.slots[it.next] = arrival{there: true} // not kept
	it.next++
	it.refund(s.size)
	if s.err != nil {
		c.Fail(s.err)
		return
	}
	c.Return(s.v)
}

var poolIteratorClass = class[*poolIterator]{"IMapIterator", map[string]method[*poolIterator]{
	"__next__": {function("timeout?"), repliesTo((*poolIterator).following)},
	"next":     {function("timeout?"), repliesTo((*poolIterator).following)},
}}

// Call implements store.Object.
func (it *poolIterator) Call(c *store.Call) { poolIteratorClass.call(it, c) }

// following answers with the next result, when it is there.
func (it *poolIterator) following(c *store.Call, a []store.Item) {
	until, timed, err := poolTimeout(c, a)
	if err != nil {
		c.Fail(err)
		return
	}
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.hasNext() && len(it.waiting) == 0 {
		it.take(c)
		return
	}
	it.park(c, until, timed)
}

func (it *poolIterator) park(c *store.Call, until time.Time, timed bool) {
	me := &waiter{call: c}
	unpark := func() bool {
		it.mu.Lock()
		defer it.mu.Unlock()
		for i, w := range it.waiting {
			if w == me {
				it.waiting = append(it.waiting[:i:i], it.waiting[i+1:]...)
				return true
			}
		}
		return false
	}
	parked := false
	if timed {
		parked = c.ParkUntil(until, unpark, func() { c.Fail(poolTimedOut()) })
	} else {
		parked = c.Park(unpark)
	}
	if parked {
		it.waiting = append(it.waiting, me)
	}
}

// Refs implements store.Object.
func (it *poolIterator) Refs(yield func(id uint64) bool) {
	it.mu.Lock()
	var values []store.Item
	for _, s := range it.slots {
		values = append(values, s.v)
	}
	it.mu.Unlock()
	refs(values, yield)
}

// Repr implements store.Object.
func (it *poolIterator) Repr() string {
	if it.ordered {
		return "<multiprocessing.pool.IMapIterator object>"
	}
	return "<multiprocessing.pool.IMapUnorderedIterator object>"
}

// Snapshot implements store.Object.
func (it *poolIterator) Snapshot() (store.Item, bool) { return store.Item{}, false }

// Dispose implements store.Object.
func (it *poolIterator) Dispose() {
	it.mu.Lock()
	defer it.mu.Unlock()
	it.close()
}
