package objects

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// result is what tasks of a pool return, once all have: Python's AsyncResult.
type result struct {
	p                   *pool
	many                bool // a list of results, not one
	once                bool // for the call that started the tasks, which waits
	onResult, onFailure store.Func

	guarded // guards all of the following
	account
	values  []store.Item
	left    int
	done    bool
	failed  error // the first failure
	waiting waiters
}

func (p *pool) newResult(c *store.Call, tasks int, many bool, callback, errorCallback store.Item) *result {
	r := &result{p: p, many: many, account: account{store: p.s, payer: p.pays}, values: make([]store.Item, tasks), left: tasks}
	r.once = !strings.HasSuffix(c.Method, "_async")
	if callback.Value() != nil {
		r.onResult = p.function(callback)
	}
	if errorCallback.Value() != nil {
		r.onFailure = p.function(errorCallback)
	}
	return r
}

// set runs task i.
func (r *result) set(i int, f store.Func, ctx context.Context, args store.Args) {
	v, err := f(ctx, args)
	r.mu.Lock()
	if full := r.charge(v.Size()); full != nil {
		v, err = none, cmp.Or(err, full)
	}
	r.values[i] = v
	if err != nil && r.failed == nil {
		r.failed = err
	}
	r.left--
	last := r.left == 0
	r.mu.Unlock()
	if last {
		r.finish()
	}
}

// finish is called once all tasks have ended. As in Python the callback has
// returned before anybody learns of the end.
func (r *result) finish() {
	if r.failed == nil && r.onResult != nil {
		_, _ = r.onResult(r.p.run, store.Args{Pos: []store.Item{r.value()}})
	}
	if r.failed != nil && r.onFailure != nil {
		_, _ = r.onFailure(r.p.run, store.Args{Pos: []store.Item{store.Of(pyvalue.ToException(r.failed))}})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
}

// nothing is the end if there were no tasks. As in Python nobody is called back:
// it is the goroutine of a connection that comes here, and must not wait.
func (r *result) nothing() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
}

// abandon is the end if some of the tasks will not be run. Nobody calls back:
// the pool's workers are gone.
func (r *result) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.done {
		r.failed = cmp.Or(r.failed, error(errTerminated))
		r.end()
	}
}

// end answers who waits. The mutex is held.
func (r *result) end() {
	r.done = true
	r.waiting.wakeAll()
	if r.once {
		r.close()
	}
}

func (r *result) value() store.Item {
	if !r.many {
		return r.values[0]
	}
	l := &pyvalue.List{Items: make([]pyvalue.Value, len(r.values))}
	for i, v := range r.values {
		l.Items[i] = v.Value()
	}
	return store.Of(l)
}

// answer answers with the result, and with expired if until passes first.
func (r *result) answer(c *store.Call, until time.Time, expired func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reply := func() {
		if r.failed != nil {
			c.Fail(r.failed)
			return
		}
		c.Return(r.value())
	}
	if r.done {
		reply()
		return
	}
	r.waiting.park(&r.mu, c, until, expired, reply)
}

var resultClass = class[*result]{"AsyncResult", map[string]method[*result]{
	"get":        {function("timeout?"), repliesTo((*result).get)},
	"wait":       {function("timeout?"), repliesTo((*result).wait)},
	"ready":      {function(), tells(func(r *result) store.Item { return boolItem(r.isDone()) })},
	"successful": {function(), (*result).successful},
}}

// Call implements store.Object.
func (r *result) Call(c *store.Call) { resultClass.call(r, c) }

func (r *result) get(c *store.Call, a []store.Item) {
	until, timed, err := poolTimeout(c, a)
	if err != nil {
		c.Fail(err)
		return
	}
	var expired func()
	if timed {
		expired = func() { c.Fail(poolTimedOut()) }
	}
	r.answer(c, until, expired)
}

func (r *result) successful(*store.Call, []store.Item) (store.Item, error) {
	if !r.isDone() {
		return none, pyvalue.ValueError(r.Repr() + " not ready")
	}
	return boolItem(r.failed == nil), nil
}

func (r *result) isDone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done
}

func (r *result) wait(c *store.Call, a []store.Item) {
	until, timed, err := poolTimeout(c, a)
	if err != nil {
		c.Fail(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	reply := func() { c.Return(none) }
	if r.done {
		reply()
		return
	}
	var expired func()
	if timed {
		expired = reply
	}
	r.waiting.park(&r.mu, c, until, expired, reply)
}

// poolTimeout is what the only argument of get and wait means.
func poolTimeout(c *store.Call, a []store.Item) (until time.Time, timed bool, err error) {
	if a[0].IsNone() {
		return c.Deadline, false, nil
	}
	d, err := seconds(a[0])
	return time.Now().Add(d), true, err
}

func poolTimedOut() error {
	return &pyvalue.Exception{Class: pyvalue.Global{Module: "multiprocessing.context", Name: "TimeoutError"}, Cause: context.DeadlineExceeded}
}

// Refs implements store.Object.
func (r *result) Refs(yield func(id uint64) bool) {
	r.mu.Lock()
	values := slices.Clone(r.values)
	r.mu.Unlock()
	refs(values, yield)
}

// Repr implements store.Object.
func (r *result) Repr() string {
	if r.many {
		return "<multiprocessing.pool.MapResult object>"
	}
	return "<multiprocessing.pool.ApplyResult object>"
}

// Snapshot implements store.Object: what is not there yet cannot be copied.
func (r *result) Snapshot() (store.Item, bool) { return store.Item{}, false }

// Dispose implements store.Object.
func (r *result) Dispose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.close()
}

// waiters are calls that wait for one thing to happen to an object. They are
// guarded by the object's mutex.
type waiters struct{ all []*waiter }

type waiter struct {
	call  *store.Call
	ready func()
}

// park leaves a call waiting until wakeAll calls ready. until is the end of
// the call's time limit as its method was told, zero for none; expired answers
// then, and may be nil if until is the client's own deadline. mu, the object's
// mutex, is held.
func (w *waiters) park(mu *store.Mutex, c *store.Call, until time.Time, expired, ready func()) {
	me := &waiter{c, ready}
	unpark := func() bool {
		mu.Lock()
		defer mu.Unlock()
		i := slices.Index(w.all, me)
		if i < 0 {
			return false
		}
		w.all = slices.Delete(w.all, i, i+1)
		return true
	}
	parked := false
	if expired == nil {
		parked = c.Park(unpark)
	} else {
		parked = c.ParkUntil(until, unpark, expired)
	}
	if parked {
		w.all = append(w.all, me)
	}
}

// wakeAll answers all. The object's mutex is held.
func (w *waiters) wakeAll() {
	for _, me := range w.all {
		me.ready()
	}
	w.all = nil
}
