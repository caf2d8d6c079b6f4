package objects

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// leases are what a queue knows of items that are lent, or wait for the end of a
// delay. Such an item stays the queue's: it is charged to it, what it refers to lives,
// and it counts as unfinished. It comes back when its time is up, when its owner is
// gone, or when that gives it back: to where it was, or to the dead letters.
type leases struct {
	store *store.Store
	own   time.Duration // for how long, unless something else is said

	// What an item becomes that was lent so often. dead was made before the queue,
	// so its mutex may be locked with the queue's held.
	attempts int
	dead     *queue
	deadID   uint64

	lent  map[uint64]*lease
	last  uint64              // id that was given to a lease
	held  map[store.Owner]int // how many each owner has
	times leaseTimes          // all that are in lent, the first to end first
	timer *time.Timer         // nil: there was none yet
	armed time.Time           // when it fires; zero if it does not
}

// DefaultLease is for how long an item is lent unless a Go client that makes a queue
// says something else: what driver.DefaultLease says.
const DefaultLease = 30 * time.Second

// lease is an item that is in nobody's reach.
type lease struct {
	element
	id    uint64
	owner store.Owner // nil: it is delayed
	until time.Time
	at    int // in times
}

// leaseTimes is a heap of leases by their ends.
type leaseTimes []*lease

func (h leaseTimes) Len() int           { return len(h) }
func (h leaseTimes) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h leaseTimes) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }
func (h *leaseTimes) Push(x any)        { l := x.(*lease); l.at = len(*h); *h = append(*h, l) }

func (h *leaseTimes) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}

// newLeases reads what a Go client says of leases: nanoseconds, a number of attempts,
// and a queue; or nothing.
func newLeases(s *store.Store, a []store.Item) (l leases, err error) {
	l.store, l.own = s, DefaultLease
	l.last = rand.Uint64() >> 2 // a lease of a server before this one is none of ours
	if len(a) == 0 {
		return l, nil
	}
	own, err := optionalInt(a[0], 0)
	if err != nil {
		return l, err
	}
	attempts, err := optionalInt(a[1], 0)
	if err != nil {
		return l, err
	}
	if own > 0 {
		l.own = time.Duration(own)
	}
	if a[2].IsNone() {
		return l, nil
	}
	if l.attempts = int(min(attempts, maxInt)); l.attempts < 1 {
		return l, pyvalue.ValueError("Queue: an item is dead after one attempt at least")
	}
	v := a[2].Value()
	ref, ok := v.(pyvalue.Ref)
	if !ok {
		return l, pyvalue.TypeError("Queue: dead letters go to a queue of this manager, not " + pyvalue.TypeName(v))
	}
	o, _ := s.Object(ref.ID)
	switch q := o.(type) {
	case *queue:
		l.dead, l.deadID = q, ref.ID
	case nil:
		return l, pyvalue.KeyError(store.Ident(ref.ID))
	default:
		return l, pyvalue.TypeError("Queue: dead letters go to a queue of this manager, not to a " + ref.Type)
	}
	s.Refer(l.deadID)
	return l, nil
}

// keep has an element out of reach; q.mu is held.
func (q *queue) keep(e element, owner store.Owner, d time.Duration) *lease {
	if q.lent == nil {
		q.lent, q.held = map[uint64]*lease{}, map[store.Owner]int{}
	}
	q.last++
	l := &lease{element: e, id: q.last, owner: owner, until: time.Now().Add(d)}
	q.lent[l.id] = l
	if owner != nil {
		q.held[owner]++
	}
	heap.Push(&q.times, l)
	q.arm()
	return l
}

// let is the inverse of keep. The caller gives the element to somebody.
func (q *queue) let(l *lease) element {
	delete(q.lent, l.id)
	heap.Remove(&q.times, l.at)
	if l.owner != nil {
		if q.held[l.owner]--; q.held[l.owner] == 0 {
			delete(q.held, l.owner)
		}
	}
	return l.element
}

// arm sets the timer, if it would come too late.
func (q *queue) arm() {
	if len(q.times) == 0 || !q.armed.IsZero() && !q.times[0].until.Before(q.armed) {
		return
	}
	q.armed = q.times[0].until
	d := time.Until(q.armed)
	if q.timer == nil {
		q.timer = time.AfterFunc(d, func() { q.store.Within(q, "the end of a lease", q.timeUp) })
		return
	}
	q.timer.Reset(d)
}

// timeUp takes items back whose leases, or delays, have ended.
func (q *queue) timeUp() {
	q.mu.Lock()
	q.armed = time.Time{}
	now := time.Now()
	var todo answers
	for len(q.times) > 0 && !q.times[0].until.After(now) {
		todo = q.comeBack(q.times[0], todo)
	}
	q.arm()
	todo = append(todo, q.serve()...)
	q.mu.Unlock()
	todo.send()
}

// comeBack has an item in reach again, or among the dead letters; if these do not take
// it, it is lent once more. The answers are for when no mutex is held; the caller
// lets those go on who wait for items.
func (q *queue) comeBack(l *lease, todo answers) answers {
	if l.owner != nil {
		l.owner.Drop(q)
	}
	e := q.let(l)
	switch {
	case q.disposed:
	case q.drained:
		q.charge(-e.item.Size())
		q.discard(1)
	case q.dead != nil && e.attempts >= q.attempts && q.dead.bury(e.item, &todo):
		q.charge(-e.item.Size())
		q.discard(1)
	default:
		q.items.insert(e)
		q.bytes += size(e.item)
	}
	return todo
}

// bury puts a dead letter, if there is room.
func (q *queue) bury(it store.Item, todo *answers) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.putters.n > 0 || !q.fits(it) || q.checkSize(it) != nil || q.add(it) != nil {
		return false
	}
	q.store.Hand(it)
	*todo = append(*todo, q.serve()...)
	return true
}

// lend takes what a call wants and there is, for its owner; the result gives it to the
// call. An answer that does not arrive was no attempt.
func (q *queue) lend(c *store.Call, limit int) func() {
	var list []*lease
	for bytes := 0; len(list) < limit && q.items.len() > 0 && bytes < pageBytes; {
		e := q.items.pop()
		q.bytes -= size(e.item)
		bytes += size(e.item)
		e.attempts++
		list = append(list, q.keep(e, c.Owner, q.own))
		c.Hold(q)
	}
	return func() {
		items := make([]store.Item, 0, 3*len(list))
		for _, l := range list {
			items = append(items, store.Of(pyvalue.Uint(l.id)), intItem(l.attempts), l.item)
		}
		c.ReturnTaken(join(c, items...), func() { q.unlend(list) })
	}
}

// unlend takes items back whose leases nobody has heard of.
func (q *queue) unlend(list []*lease) {
	q.mu.Lock()
	var todo answers
	for _, l := range list {
		if q.lent[l.id] == l {
			l.attempts--
			todo = q.comeBack(l, todo)
		}
	}
	todo = append(todo, q.serve()...)
	q.mu.Unlock()
	todo.send()
}

// OwnerGone implements store.Holder: all that the owner has comes back.
func (q *queue) OwnerGone(o store.Owner) {
	q.mu.Lock()
	var todo answers
	if q.held[o] > 0 {
		theirs := make([]*lease, 0, q.held[o])
		for _, l := range q.lent {
			if l.owner == o {
				theirs = append(theirs, l)
			}
		}
		slices.SortFunc(theirs, func(a, b *lease) int { return cmp.Compare(a.seq, b.seq) }) // also as dead letters
		for _, l := range theirs {
			l.owner = nil // who is told once for each
			todo = q.comeBack(l, todo)
		}
		delete(q.held, o)
		todo = append(todo, q.serve()...)
	}
	q.mu.Unlock()
	todo.send()
}

// mine is a lease of the caller's; q.mu is held.
func (q *queue) mine(c *store.Call, it store.Item) (*lease, error) {
	id, err := integer(it)
	if err != nil {
		return nil, err
	}
	if l := q.lent[uint64(id)]; l != nil && l.owner == c.Owner {
		return l, nil
	}
	return nil, fmt.Errorf("queue: the item is not the caller's any more: %w", mperr.ErrLeaseLost)
}

func (q *queue) mpReceive(c *store.Call, a []store.Item) { q.receive(c, a[0], timeLimit{}) }

func (q *queue) mpTryReceive(c *store.Call, a []store.Item) {
	q.receive(c, a[0], timeLimit{try: true})
}

func (q *queue) receive(c *store.Call, it store.Item, p timeLimit) {
	limit, err := batchLimit(it)
	if err != nil {
		c.Fail(err)
		return
	}
	q.getAll(c, gets{limit: limit, lend: true}, p)
}

// mpAck answers with the leases that are not the caller's.
func (q *queue) mpAck(c *store.Call, a []store.Item) {
	list, err := batch(a[0])
	if err != nil {
		c.Fail(err)
		return
	}
	lost := []store.Item{}
	q.mu.Lock()
	for _, it := range list {
		l, err := q.mine(c, it)
		if err != nil {
			lost = append(lost, it)
			continue
		}
		c.Drop(q)
		q.charge(-q.let(l).item.Size())
		q.discard(1)
	}
	todo := q.serve()
	q.mu.Unlock()
	c.Return(join(c, lost...))
	todo.send()
}

func (q *queue) mpNack(c *store.Call, a []store.Item) {
	delay, err := integer(a[1])
	if err != nil {
		c.Fail(err)
		return
	}
	q.mu.Lock()
	l, err := q.mine(c, a[0])
	if err != nil {
		q.mu.Unlock()
		c.Fail(err)
		return
	}
	var todo answers
	if delay <= 0 || q.dead != nil && l.attempts >= q.attempts {
		todo = q.comeBack(l, nil)
	} else {
		c.Drop(q)
		q.keep(q.let(l), nil, time.Duration(delay))
	}
	todo = append(todo, q.serve()...)
	q.mu.Unlock()
	c.Return(none)
	todo.send()
}

func (q *queue) mpExtend(c *store.Call, a []store.Item) {
	d, err := integer(a[1])
	if err != nil {
		c.Fail(err)
		return
	}
	if d <= 0 {
		d = int64(q.own)
	}
	q.mu.Lock()
	l, err := q.mine(c, a[0])
	if err == nil {
		l.until = time.Now().Add(time.Duration(d))
		heap.Fix(&q.times, l.at)
		q.arm()
	}
	q.mu.Unlock()
	if err != nil {
		c.Fail(err)
		return
	}
	c.Return(none)
}

func (q *queue) leased() store.Item {
	return q.look(func() store.Item { return intItem(len(q.lent)) })
}
