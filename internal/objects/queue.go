package objects

import (
	"errors"
	"fmt"
	"math"

	"multiproc/internal/budget"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// queue is first in, first out: Python's queue.Queue and mp.Queue.
//
// A get that waits and a put that waits stand in line; whoever changes the
// queue serves them, see serve. An item that is on its way to a client is in no
// list: the store puts it back if it does not arrive, to where it was.
type queue struct {
	payer    *budget.Share
	maxItems int // 0: no bound
	maxBytes int // 0: no bound

	guarded
	items      deque
	bytes      int    // of items, charged to the store
	seq        uint64 // of the last item that was put
	unfinished int    // items that were put and not yet called done
	closed     bool   // nothing more is put
	drained    bool   // nor is anything to be got: what comes back is thrown away
	disposed   bool
	putters    waitQueue[*puts]
	getters    waitQueue[gets]
	watching   waitQueue[struct{}] // mp.await
	joiners    waitQueue[struct{}]
	leases
}

// puts are the items that one call puts.
type puts struct {
	left  []store.Item
	done  int
	batch bool // answered with the number of items
}

// gets is what one call wants.
type gets struct {
	limit  int
	batch  bool // answered with an array
	lend   bool // and with the leases
	python bool // told of the end by ShutDown
}

func queueTypes() []*store.Type {
	exposed := []string{
		"empty", "full", "get", "get_nowait", "join", "put", "put_nowait", "qsize", "shutdown", "task_done",
	}
	return []*store.Type{
		{ID: "Queue", Exposed: exposed, New: newQueue},
		{ID: "JoinableQueue", Exposed: exposed, New: newQueue},
	}
}

// newQueue makes a queue of at most maxsize items. A Go client may say, too, of how many
// bytes, and how items are lent.
func newQueue(s *store.Store, args store.Args) (store.Object, error) {
	names := []string{"maxsize?", "bytes?", "lease?", "attempts?", "dead?"}
	if len(args.Pos) != len(names) {
		names = names[:2]
	}
	a, err := bindArgs("Queue", args, names...)
	if err != nil {
		return nil, err
	}
	items, err := optionalInt(a[0], 0)
	if err != nil {
		return nil, err
	}
	bytes, err := optionalInt(a[1], 0)
	if err != nil {
		return nil, err
	}
	leases, err := newLeases(s, a[2:])
	if err != nil {
		return nil, err
	}
	clip := func(n int64) int { return int(min(max(n, 0), math.MaxInt)) }
	return &queue{payer: s.Payer(args), maxItems: clip(items), maxBytes: clip(bytes), leases: leases}, nil
}

var queueClass = class[*queue]{"Queue", map[string]method[*queue]{
	"put":        {function("item", "block=True", "timeout?"), repliesTo((*queue).put)},
	"put_nowait": {function("item"), repliesTo((*queue).putNowait)},
	"get":        {function("block=True", "timeout?"), repliesTo((*queue).get)},
	"get_nowait": {function(), replies((*queue).getNowait)},
	"qsize":      {function(), tells((*queue).length)},
	"empty":      {function(), tells((*queue).empty)},
	"full":       {function(), tells((*queue).full)},
	"task_done":  {function(), replies((*queue).taskDone)},
	"join":       {function(), replies((*queue).join)},
	"shutdown":   {function("immediate?"), (*queue).shutdown},

	"mp.put":        {function("item"), repliesTo((*queue).mpPut)},
	"mp.tryPut":     {function("item"), repliesTo((*queue).putNowait)},
	"mp.putBatch":   {function("items"), repliesTo((*queue).mpPutBatch)},
	"mp.get":        {function(), replies((*queue).mpGet)},
	"mp.tryGet":     {function(), replies((*queue).mpTryGet)},
	"mp.getBatch":   {function("limit"), repliesTo((*queue).mpGetBatch)},
	"mp.await":      {function(), replies((*queue).mpAwait)},
	"mp.len":        {function(), tells((*queue).length)},
	"mp.full":       {function(), tells((*queue).full)},
	"mp.taskDone":   {function(), replies((*queue).taskDone)},
	"mp.join":       {function(), replies((*queue).join)},
	"mp.closeWrite": {function(), replies((*queue).mpCloseWrite)},

	"mp.receive":    {function("limit"), repliesTo((*queue).mpReceive)},
	"mp.tryReceive": {function("limit"), repliesTo((*queue).mpTryReceive)},
	"mp.ack":        {function("leases"), repliesTo((*queue).mpAck)},
	"mp.nack":       {function("lease", "delay"), repliesTo((*queue).mpNack)},
	"mp.extend":     {function("lease", "time"), repliesTo((*queue).mpExtend)},
	"mp.leased":     {function(), tells((*queue).leased)},
}}

// Call implements store.Object.
func (q *queue) Call(c *store.Call) { queueClass.call(q, c) }

// Cap implements store.Bounded.
func (q *queue) Cap() int { return q.maxItems }

// size is what an item counts for the bound in bytes: its bytes.
func size(it store.Item) int {
	if raw, ok := it.CBOR(); ok {
		return len(raw)
	}
	return it.Size()
}

// fits reports whether there is room for an item. In a queue with a bound in
// bytes an item never waits for ones behind it, but one that is smaller than
// the bound always gets its turn.
func (q *queue) fits(it store.Item) bool {
	return (q.maxItems == 0 || q.items.len() < q.maxItems) &&
		(q.maxBytes == 0 || q.bytes+size(it) <= q.maxBytes)
}

func (q *queue) isFull() bool {
	return q.maxItems > 0 && q.items.len() >= q.maxItems || q.maxBytes > 0 && q.bytes >= q.maxBytes
}

// add puts one item in, for which there is room.
func (q *queue) add(it store.Item) error {
	if q.disposed {
		return errDisposed
	}
	if err := q.payer.Take(it.Size()); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	q.seq++
	q.items.push(element{item: it, seq: q.seq})
	q.bytes += size(it)
	q.unfinished++
	return nil
}

var errDisposed = errors.New("the object is gone: nobody refers to it any more")

// checkSize refuses what can never be put.
func (q *queue) checkSize(it store.Item) error {
	if n := size(it); q.maxBytes > 0 && n > q.maxBytes {
		return fmt.Errorf("queue: an item of %d bytes, and the bound is %d: %w", n, q.maxBytes, mperr.ErrTooLarge)
	}
	return nil
}

// putAll puts what fits, and lets the call wait for the rest.
func (q *queue) putAll(c *store.Call, w *puts, p timeLimit) {
	for _, it := range w.left {
		if err := q.checkSize(it); err != nil {
			c.Fail(err)
			return
		}
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		c.Fail(pyvalue.ShutDown())
		return
	}
	var err error
	switch {
	case len(w.left) == 0: // nothing to wait for
		defer w.answer(c)
	case q.putters.n == 0 && q.fitAll(w.left):
		if err = q.admit(w); err == nil || w.done > 0 { // a batch is put as far as it goes
			err = nil
			defer w.answer(c)
		}
	case p.try:
		err = pyvalue.QueueFull()
	default:
		q.queueUp(c, w, p)
	}
	todo := q.serve()
	q.mu.Unlock()
	todo.send()
	if err != nil {
		c.Fail(err)
	}
}

// fitAll reports whether there is room for all of the items.
func (q *queue) fitAll(items []store.Item) bool {
	if len(items) == 1 {
		return q.fits(items[0])
	}
	if q.maxItems > 0 && q.items.len()+len(items) > q.maxItems {
		return false
	}
	bytes := q.bytes
	for _, it := range items {
		bytes += size(it)
	}
	return q.maxBytes == 0 || bytes <= q.maxBytes
}

// admit puts as many of the items as fit.
func (q *queue) admit(w *puts) error {
	for len(w.left) > 0 && q.fits(w.left[0]) {
		if err := q.add(w.left[0]); err != nil {
			return err
		}
		w.left = w.left[1:]
		w.done++
	}
	return nil
}

func (w *puts) answer(c *store.Call) {
	if w.batch {
		c.Return(intItem(w.done))
		return
	}
	c.Return(none)
}

// queueUp lets a put wait, of which nothing was done yet: a call that may not
// wait has failed. A put that is withdrawn may be what others waited
// behind; and one that was carried out in part is answered with how far it
// came, for an error means that nothing happened.
func (q *queue) queueUp(c *store.Call, w *puts, p timeLimit) {
	me := &queued[*puts]{call: c, what: w}
	unpark := func() bool {
		q.mu.Lock()
		if !me.leave() {
			q.mu.Unlock()
			return false
		}
		todo := q.serve()
		q.mu.Unlock()
		todo.send()
		if w.done > 0 && !c.Gone() {
			w.answer(c)
			return false
		}
		return true
	}
	if q.putters.park(c, p, unpark, func() { c.Fail(pyvalue.QueueFull()) }) {
		q.putters.push(me)
	}
}

// take removes up to n items, of about maxBytes bytes; the caller gives them to
// somebody.
func (q *queue) take(n, maxBytes int) []element {
	var out []element
	for had := q.bytes; len(out) < n && q.items.len() > 0 && had-q.bytes < maxBytes; {
		out = append(out, q.takeOne())
	}
	return out
}

func (q *queue) takeOne() element {
	e := q.items.pop()
	q.bytes -= size(e.item)
	q.charge(-e.item.Size())
	return e
}

func (q *queue) charge(delta int) {
	if !q.disposed {
		q.payer.Force(delta)
	}
}

// putBack puts items back to where they were.
func (q *queue) putBack(list ...element) {
	q.mu.Lock()
	if q.drained {
		q.discard(len(list))
		list = nil
	}
	for _, e := range list {
		q.items.insert(e)
		q.bytes += size(e.item)
		q.charge(e.item.Size())
	}
	todo := q.serve()
	q.mu.Unlock()
	todo.send()
}

// discard counts n items as done that nobody gets.
func (q *queue) discard(n int) { q.unfinished = max(q.unfinished-n, 0) }

// getAll answers with items, or lets the call wait for the first one.
func (q *queue) getAll(c *store.Call, g gets, p timeLimit) {
	q.mu.Lock()
	if q.items.len() > 0 { // then nobody waits, see serve
		give := q.hand(c, g)
		todo := q.serve()
		q.mu.Unlock()
		give()
		todo.send()
		return
	}
	var err error
	switch {
	case q.ended():
		err = g.end()
	case p.try:
		err = pyvalue.QueueEmpty()
	default:
		q.getters.wait(&q.mu, c, g, p, func() { c.Fail(pyvalue.QueueEmpty()) })
	}
	q.mu.Unlock()
	if err != nil {
		c.Fail(err)
	}
}

// hand takes what a call wants and there is; the result gives it to the call.
func (q *queue) hand(c *store.Call, g gets) func() {
	if g.lend {
		return q.lend(c, g.limit)
	}
	if !g.batch {
		e := q.takeOne()
		return func() { c.ReturnTaken(e.item, func() { q.putBack(e) }) }
	}
	list := q.take(g.limit, pageBytes)
	return func() {
		items := make([]store.Item, len(list))
		for i, e := range list {
			items[i] = e.item
		}
		c.ReturnTaken(join(c, items...), func() { q.putBack(list...) })
	}
}

// ended reports whether there will never be an item again. What is on its way to a
// client is not waited for, what is lent is.
func (q *queue) ended() bool {
	return q.closed && q.items.len() == 0 && (len(q.lent) == 0 || q.drained)
}

// serve lets everybody go on who can, and returns the answers for when the
// mutex is free. Afterwards either there are no items or nobody waits for some,
// and either there is no room for the first put that waits or there is none.
func (q *queue) serve() (todo answers) {
	for {
		if q.items.len() > 0 && q.getters.n > 0 {
			p := q.getters.pop()
			todo = append(todo, q.hand(p.call, p.what))
			continue
		}
		p := q.putters.first
		if p == nil || !q.fits(p.what.left[0]) {
			break
		}
		todo = q.servePutter(p, todo)
	}
	if q.items.len() > 0 || q.ended() {
		todo = freeAll(&q.watching, todo)
	}
	if q.unfinished == 0 {
		todo = freeAll(&q.joiners, todo)
	}
	if q.ended() {
		for p := q.getters.pop(); p != nil; p = q.getters.pop() {
			todo = append(todo, func() { p.call.Fail(p.what.end()) })
		}
	}
	return todo
}

// servePutter goes on with the first put that waits.
func (q *queue) servePutter(p *queued[*puts], todo answers) answers {
	w := p.what
	err := q.admit(w)
	if err == nil && len(w.left) > 0 {
		return todo
	}
	p.leave()
	return append(todo, func() {
		if err != nil && w.done == 0 {
			p.call.Fail(err)
			return
		}
		w.answer(p.call)
	})
}

// freeAll answers all who wait in l with None.
func freeAll(l *waitQueue[struct{}], todo answers) answers {
	for p := l.pop(); p != nil; p = l.pop() {
		todo = append(todo, func() { p.call.Return(none) })
	}
	return todo
}
