package objects

import (
	"fmt"
	"io"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// end is how a call learns that there will be nothing more to get.
func (g gets) end() error {
	if g.python {
		return pyvalue.ShutDown()
	}
	return io.EOF
}

// queueLimit is what block and timeout mean to a queue of Python's.
func queueLimit(block, timeout store.Item) (timeLimit, error) {
	if !pyvalue.Truth(block.Value()) {
		return timeLimit{try: true}, nil
	}
	if timeout.IsNone() {
		return timeLimit{}, nil
	}
	d, err := seconds(timeout)
	if err != nil {
		return timeLimit{}, err
	}
	if d < 0 {
		return timeLimit{}, pyvalue.ValueError("'timeout' must be a non-negative number")
	}
	return within(timeout)
}

func (q *queue) put(c *store.Call, a []store.Item) {
	var p timeLimit
	if q.bounded() { // CPython looks at the timeout only then
		var err error
		if p, err = queueLimit(a[1], a[2]); err != nil {
			c.Fail(err)
			return
		}
	}
	q.putAll(c, &puts{left: a[:1]}, p)
}

func (q *queue) bounded() bool { return q.maxItems > 0 || q.maxBytes > 0 }

func (q *queue) putNowait(c *store.Call, a []store.Item) {
	q.putAll(c, &puts{left: a}, timeLimit{try: true})
}

func (q *queue) mpPut(c *store.Call, a []store.Item) { q.putAll(c, &puts{left: a}, timeLimit{}) }

func (q *queue) mpPutBatch(c *store.Call, a []store.Item) {
	items, err := batch(a[0])
	if err != nil {
		c.Fail(err)
		return
	}
	q.putAll(c, &puts{left: items, batch: true}, timeLimit{})
}

func (q *queue) get(c *store.Call, a []store.Item) {
	p, err := queueLimit(a[0], a[1])
	if err != nil {
		c.Fail(err)
		return
	}
	q.getAll(c, gets{limit: 1, python: true}, p)
}

func (q *queue) getNowait(c *store.Call) {
	q.getAll(c, gets{limit: 1, python: true}, timeLimit{try: true})
}

func (q *queue) mpGet(c *store.Call) {
	q.getAll(c, gets{limit: 1}, timeLimit{})
}

func (q *queue) mpTryGet(c *store.Call) {
	q.getAll(c, gets{limit: 1}, timeLimit{try: true})
}

// maxBatch bounds what one call takes, as pageBytes does, so that the answer
// fits a frame.
const maxBatch = 1 << 16

func (q *queue) mpGetBatch(c *store.Call, a []store.Item) {
	limit, err := batchLimit(a[0])
	if err != nil {
		c.Fail(err)
		return
	}
	q.getAll(c, gets{limit: limit, batch: true}, timeLimit{})
}

// batchLimit is how many items a call wants at most.
func batchLimit(it store.Item) (int, error) {
	limit, err := integer(it)
	if err == nil && limit < 1 {
		err = pyvalue.ValueError(fmt.Sprintf("queue: a batch of at most %d items", limit))
	}
	return int(min(limit, maxBatch)), err
}

func (q *queue) mpAwait(c *store.Call) {
	q.mu.Lock()
	if q.items.len() == 0 && !q.ended() {
		q.watching.wait(&q.mu, c, struct{}{}, timeLimit{}, nil)
		q.mu.Unlock()
		return
	}
	q.mu.Unlock()
	c.Return(none)
}

// look is what f finds under the mutex.
func (q *queue) look(f func() store.Item) store.Item {
	q.mu.Lock()
	defer q.mu.Unlock()
	return f()
}

func (q *queue) length() store.Item {
	return q.look(func() store.Item { return intItem(q.items.len()) })
}

// Count implements store.Counted.
func (q *queue) Count() (n int) {
	q.look(func() store.Item { n = q.items.len(); return none })
	return n
}

func (q *queue) empty() store.Item {
	return q.look(func() store.Item { return boolItem(q.items.len() == 0) })
}

func (q *queue) full() store.Item {
	return q.look(func() store.Item { return boolItem(q.isFull()) })
}

func (q *queue) taskDone(c *store.Call) {
	q.mu.Lock()
	if q.unfinished == 0 {
		q.mu.Unlock()
		e := pyvalue.ValueError("task_done() called too many times")
		e.Cause = mperr.ErrTaskDone
		c.Fail(e)
		return
	}
	q.unfinished--
	todo := q.serve()
	q.mu.Unlock()
	todo.send()
	c.Return(none)
}

func (q *queue) join(c *store.Call) {
	q.mu.Lock()
	if q.unfinished > 0 {
		q.joiners.wait(&q.mu, c, struct{}{}, timeLimit{}, nil)
		q.mu.Unlock()
		return
	}
	q.mu.Unlock()
	c.Return(none)
}

func (q *queue) shutdown(_ *store.Call, a []store.Item) (store.Item, error) {
	q.close(pyvalue.Truth(a[0].Value()))
	return none, nil
}

func (q *queue) mpCloseWrite(c *store.Call) {
	q.close(false)
	c.Return(none)
}

// close lets nothing more be put, and throws away what there is if nothing
// more is to be got either.
func (q *queue) close(immediate bool) {
	q.mu.Lock()
	q.closed = true
	var todo answers
	for p := q.putters.pop(); p != nil; p = q.putters.pop() {
		todo = append(todo, func() {
			if p.what.done > 0 {
				p.what.answer(p.call)
				return
			}
			p.call.Fail(pyvalue.ShutDown())
		})
	}
	if immediate {
		q.drained = true
		q.discard(len(q.take(q.items.len(), maxInt)))
	}
	todo = append(todo, q.serve()...)
	q.mu.Unlock()
	todo.send()
}

// Refs implements store.Object.
func (q *queue) Refs(yield func(id uint64) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	more := true
	refs := func(e element) bool {
		e.item.Refs(func(id uint64) bool {
			more = yield(id)
			return more
		})
		return more
	}
	q.items.each(refs)
	for _, l := range q.lent {
		if !more || !refs(l.element) {
			return
		}
	}
	if more && q.dead != nil {
		yield(q.deadID)
	}
}

// Repr implements store.Object.
func (q *queue) Repr() string { return fmt.Sprintf("<queue.Queue object at %p>", q) }

// Snapshot implements store.Object: Python cannot copy a queue either.
func (q *queue) Snapshot() (store.Item, bool) { return store.Item{}, false }

// Dispose implements store.Object.
func (q *queue) Dispose() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.take(q.items.len(), maxInt)
	for _, l := range q.lent {
		q.charge(-l.item.Size())
		if l.owner != nil {
			l.owner.Drop(q)
		}
	}
	q.lent, q.held, q.times = nil, nil, nil
	if q.timer != nil {
		q.timer.Stop()
	}
	q.disposed = true
}
