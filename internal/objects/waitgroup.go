package objects

import (
	"fmt"
	"math"
	"slices"

	"multiproc/internal/mperr"
	"multiproc/internal/store"
)

// waitGroup is mp.WaitGroup: a count of what is still to be done. Python has none; its
// clients can hold references to one, and that is all.
//
// Each part of the count belongs to an owner, who Holds the object once for it: what it
// has added or taken over, and nobody has done. Done is the owner's own, or else the
// oldest. The end of an owner takes its part off, and the round is told.
type waitGroup struct {
	leaf

	guarded
	count   int64
	parts   []debt // oldest first
	lost    bool   // in this round, or in the last one if count is 0: some part
	pid     int    // of the first owner that was lost
	waiting waitQueue[struct{}]
}

// maxCount is how much there may be to do.
const maxCount = math.MaxInt64 / 4

func waitGroupTypes() []*store.Type {
	return []*store.Type{{
		ID: "WaitGroup",
		New: func(_ *store.Store, args store.Args) (store.Object, error) {
			_, err := bindArgs("WaitGroup", args)
			return &waitGroup{}, err
		},
	}}
}

var waitGroupClass = class[*waitGroup]{"WaitGroup", map[string]method[*waitGroup]{
	"mp.add":   {ours(1), repliesTo((*waitGroup).add)},
	"mp.take":  {function(), replies((*waitGroup).take)},
	"mp.lose":  {ours(1), repliesTo((*waitGroup).lose)},
	"mp.wait":  {function(), replies((*waitGroup).wait)},
	"mp.count": {function(), tells((*waitGroup).left)},
}}

// Call implements store.Object.
func (w *waitGroup) Call(c *store.Call) { waitGroupClass.call(w, c) }

func (w *waitGroup) add(c *store.Call, a []store.Item) {
	n, err := integer(a[0])
	if err != nil {
		c.Fail(err)
		return
	}
	var todo answers
	w.mu.Lock()
	switch {
	case n < -w.count || n > maxCount-w.count:
		err = fmt.Errorf("the waitgroup's count is %d, and cannot become %d more: %w", w.count, n, mperr.ErrValue)
	case n > 0:
		if w.count == 0 { // a new round
			w.lost, w.pid = false, 0
		}
		w.give(c, n)
		w.count += n
	default:
		todo = w.done(c.Owner, -n)
	}
	w.mu.Unlock()
	w.answer(c, err, todo)
}

func (w *waitGroup) answer(c *store.Call, err error, todo answers) {
	if err != nil {
		c.Fail(err)
	} else {
		c.Return(none)
	}
	todo.send()
}

// give makes n more the owner's.
func (w *waitGroup) give(c *store.Call, n int64) {
	if i := debtOf(w.parts, c.Owner); i >= 0 {
		w.parts[i].n += n
		return
	}
	c.Hold(w)
	w.parts = append(w.parts, debt{c.Owner, n})
}

// settle takes up to n off the i-th part, and returns how much.
func (w *waitGroup) settle(i int, n int64) int64 {
	p := &w.parts[i]
	n = min(n, p.n)
	if p.n -= n; p.n == 0 {
		p.owner.Drop(w)
		w.parts = append(w.parts[:i], w.parts[i+1:]...)
	}
	return n
}

// done takes n off, which is there, and lets those who wait go on when nothing is left.
func (w *waitGroup) done(o store.Owner, n int64) answers {
	w.count -= n
	for n > 0 {
		n -= w.settle(max(debtOf(w.parts, o), 0), n)
	}
	return w.ended()
}

// ended lets those who wait go on if nothing is to be done.
func (w *waitGroup) ended() (todo answers) {
	if w.count > 0 {
		return nil
	}
	err := w.verdict()
	for p := w.waiting.pop(); p != nil; p = w.waiting.pop() {
		todo = append(todo, func() {
			if err != nil {
				p.call.Fail(err)
				return
			}
			p.call.Return(none)
		})
	}
	return todo
}

// verdict is what those who wait for the round hear.
func (w *waitGroup) verdict() error {
	if w.lost {
		return &mperr.OwnerDiedError{Object: "waitgroup", PID: w.pid}
	}
	return nil
}

// take makes one of others the caller's own, and answers whether it did: it may all be
// that already.
func (w *waitGroup) take(c *store.Call) {
	w.mu.Lock()
	if w.count == 0 {
		w.mu.Unlock()
		c.Fail(fmt.Errorf("the waitgroup's count is 0: %w", mperr.ErrValue))
		return
	}
	i := slices.IndexFunc(w.parts, func(p debt) bool { return p.owner != c.Owner })
	if i >= 0 {
		w.settle(i, 1)
		w.give(c, 1)
	}
	w.mu.Unlock()
	c.Return(boolItem(i >= 0))
}

// lose takes one off for a process that has died before it could do so.
func (w *waitGroup) lose(c *store.Call, a []store.Item) {
	pid, err := integer(a[0])
	if err != nil {
		c.Fail(err)
		return
	}
	var todo answers
	w.mu.Lock()
	if w.count == 0 {
		err = fmt.Errorf("the waitgroup's count is 0: %w", mperr.ErrValue)
	} else {
		w.note(int(pid))
		todo = w.done(c.Owner, 1)
	}
	w.mu.Unlock()
	w.answer(c, err, todo)
}

// note notes that a part of the round is lost.
func (w *waitGroup) note(pid int) {
	if !w.lost {
		w.lost, w.pid = true, pid
	}
}

func (w *waitGroup) wait(c *store.Call) {
	w.mu.Lock()
	if w.count > 0 {
		w.waiting.wait(&w.mu, c, struct{}{}, timeLimit{}, nil)
		w.mu.Unlock()
		return
	}
	err := w.verdict()
	w.mu.Unlock()
	w.answer(c, err, nil)
}

func (w *waitGroup) left() store.Item {
	w.mu.Lock()
	defer w.mu.Unlock()
	return store.Of(w.count)
}

// OwnerGone implements store.Holder: what the owner had to do is lost.
func (w *waitGroup) OwnerGone(o store.Owner) {
	w.mu.Lock()
	i := debtOf(w.parts, o)
	if i < 0 {
		w.mu.Unlock()
		return // others have done it meanwhile
	}
	w.note(o.PID())
	w.count -= w.parts[i].n
	w.parts = append(w.parts[:i], w.parts[i+1:]...)
	todo := w.ended()
	w.mu.Unlock()
	todo.send()
}

// Repr implements store.Object.
func (w *waitGroup) Repr() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("<WaitGroup object at %p: count=%d>", w, w.count)
}

var _ store.Holder = (*waitGroup)(nil)
