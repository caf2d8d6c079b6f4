package objects

import (
	"context"
	"maps"
	"runtime"
	"slices"

	"multiproc/internal/budget"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// pool is Python's multiprocessing.Pool as a manager offers it. The functions
// that it runs are those of the store's table, by their Python names; a task
// whose function is not there fails, the others go on. Its workers are
// goroutines: a manager runs no code that somebody sends.
type pool struct {
	s    *store.Store
	pays *budget.Share
	size int
	run  context.Context // ends with terminate
	stop context.CancelFunc

	guarded
	state   poolState
	tasks   []*poolTask
	running map[*poolTask]struct{}
	workers int // goroutines that are alive
	joins   waiters
}

// poolTask is one call that a pool makes. What it takes is charged to the store
// until it has run.
type poolTask struct {
	args store.Args
	run  func(context.Context, store.Args)
	drop func()  // nobody will run it: the pool was terminated
	of   *result // what it is a part of; nil: an iterator's
	home store.Object
}

// taskCost is what a task and its result take beside what they hold.
const taskCost = 384

func (t *poolTask) size() int {
	size := taskCost + sizeOf(t.args.Pos)
	for name, it := range t.args.Named {
		size += len(name) + it.Size()
	}
	return size
}

type poolState int

const (
	poolRunning poolState = iota
	poolClosed
	poolTerminated
)

func poolTypes() []*store.Type {
	return []*store.Type{{
		ID: "Pool", Proxy: "PoolProxy",
		Exposed: []string{
			"apply", "apply_async", "close", "imap", "imap_unordered", "join", "map", "map_async", "starmap",
			"starmap_async", "terminate",
		},
		Returns: map[string]string{
			"apply_async": "AsyncResult", "map_async": "AsyncResult", "starmap_async": "AsyncResult",
			"imap": "Iterator", "imap_unordered": "Iterator",
		},
		New: newPool,
	}, {
		ID: "AsyncResult", Exposed: []string{"get", "ready", "successful", "wait"},
	}}
}

func newPool(s *store.Store, args store.Args) (store.Object, error) {
	a, err := bindArgs("Pool", args, "processes?", "initializer?", "initargs?", "maxtasksperchild?", "context?")
	if err != nil {
		return nil, err
	}
	size := runtime.NumCPU()
	if v := a[0].Value(); v != nil {
		n, ok := v.(int64)
		if !ok {
			return nil, pyvalue.TypeError("Pool: processes must be an integer, not " + pyvalue.TypeName(v))
		}
		if n < 1 {
			return nil, pyvalue.ValueError("Number of processes must be at least 1")
		}
		size = int(min(n, maxWorkers))
	}
	if a[1].Value() != nil {
		return nil, pyvalue.TypeError("this manager's pools have no initializer: their workers share the manager's process")
	}
	if v := a[3].Value(); v != nil {
		if n, ok := v.(int64); !ok || n < 1 {
			return nil, pyvalue.ValueError("maxtasksperchild must be a positive int or None")
		}
	}
	p := &pool{s: s, pays: s.Payer(args), size: size, running: map[*poolTask]struct{}{}}
	p.run, p.stop = context.WithCancel(context.Background())
	return p, nil
}

// maxWorkers bounds what one client can make run at once.
const maxWorkers = 1024

var poolClass = func() class[*pool] {
	one := function("func", "args?", "kwds?", "callback?", "error_callback?")
	many := function("func", "iterable", "chunksize?", "callback?", "error_callback?")
	each := function("func", "iterable", "chunksize?")
	wait := func(c *store.Call) func(*result) { return func(r *result) { r.answer(c, c.Deadline, nil) } }
	later := func(c *store.Call) func(*result) { return func(r *result) { c.ReturnNew("AsyncResult", r) } }
	type call = *store.Call
	type args = []store.Item
	return class[*pool]{"Pool", map[string]method[*pool]{
		"apply":          {one, repliesTo(func(p *pool, c call, a args) { p.apply(c, a, wait(c)) })},
		"apply_async":    {one, repliesTo(func(p *pool, c call, a args) { p.apply(c, a, later(c)) })},
		"map":            {many, repliesTo(func(p *pool, c call, a args) { p.mapAll(c, a, false, wait(c)) })},
		"starmap":        {many, repliesTo(func(p *pool, c call, a args) { p.mapAll(c, a, true, wait(c)) })},
		"map_async":      {many, repliesTo(func(p *pool, c call, a args) { p.mapAll(c, a, false, later(c)) })},
		"starmap_async":  {many, repliesTo(func(p *pool, c call, a args) { p.mapAll(c, a, true, later(c)) })},
		"imap":           {each, repliesTo(func(p *pool, c call, a args) { p.each(c, a, true) })},
		"imap_unordered": {each, repliesTo(func(p *pool, c call, a args) { p.each(c, a, false) })},
		"close":          {function(), tells(func(p *pool) store.Item { p.end(poolClosed); return none })},
		"terminate":      {function(), tells(func(p *pool) store.Item { p.end(poolTerminated); return none })},
		"join":           {function(), replies((*pool).join)},
	}}
}()

// Call implements store.Object.
func (p *pool) Call(c *store.Call) { poolClass.call(p, c) }

// apply starts one task: func, args, kwds and, for apply_async, the callbacks.
func (p *pool) apply(c *store.Call, a []store.Item, then func(*result)) {
	args, err := poolArgs(newLoops(p.s, c.Args.Loan), a[1], a[2])
	if err != nil {
		c.Fail(err)
		return
	}
	p.start(c, a[0], []store.Args{args}, p.newResult(c, 1, false, a[3], a[4]), then)
}

// mapAll starts one task for each item: func, iterable, chunksize, callbacks.
func (p *pool) mapAll(c *store.Call, a []store.Item, star bool, then func(*result)) {
	calls, err := p.calls(c.Args.Loan, a[1], star)
	if err != nil {
		c.Fail(err)
		return
	}
	r := p.newResult(c, len(calls), true, a[3], a[4])
	p.start(c, a[0], calls, r, func(r *result) {
		if len(calls) == 0 {
			r.nothing()
		}
		then(r)
	})
}

// start starts the tasks of a result.
func (p *pool) start(c *store.Call, function store.Item, calls []store.Args, r *result, then func(*result)) {
	f := p.function(function)
	tasks := make([]*poolTask, len(calls))
	for i := range calls {
		tasks[i] = &poolTask{calls[i], func(ctx context.Context, args store.Args) { r.set(i, f, ctx, args) }, r.abandon, r, r}
	}
	if err := p.submit(tasks); err != nil {
		c.Fail(err)
		return
	}
	then(r)
}

// each starts one task for each item and answers with an iterator over what
// they return.
func (p *pool) each(c *store.Call, a []store.Item, ordered bool) {
	if n, ok := a[2].Value().(int64); ok && n < 1 {
		c.Fail(pyvalue.ValueError("Chunksize must be 1+, not " + pyvalue.Repr(n)))
		return
	}
	calls, err := p.calls(c.Args.Loan, a[1], false)
	if err != nil {
		c.Fail(err)
		return
	}
	f := p.function(a[0])
	it := newPoolIterator(p, len(calls), ordered)
	tasks := make([]*poolTask, len(calls))
	for i := range calls {
		tasks[i] = &poolTask{calls[i], func(ctx context.Context, args store.Args) {
			v, err := f(ctx, args)
			it.add(i, v, err)
		}, func() { it.add(i, none, errTerminated) }, nil, it}
	}
	if err := p.submit(tasks); err != nil {
		c.Fail(err)
		return
	}
	c.ReturnNew("Iterator", it)
}

// submit queues tasks and sees to it that there are workers for them.
func (p *pool) submit(tasks []*poolTask) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != poolRunning {
		return pyvalue.ValueError("Pool not running")
	}
	size := 0
	for _, t := range tasks {
		size += t.size()
	}
	if err := p.pays.Take(size); err != nil {
		return memoryError(err)
	}
	p.tasks = append(p.tasks, tasks...)
	for range min(p.size-p.workers, len(tasks)) { // those that there are may be busy
		p.workers++
		go func() {
			if err := p.s.Safely("a worker of a pool", p.work); err != nil {
				p.s.Break(p, "a worker", err)
			}
		}()
	}
	return nil
}

// work runs tasks until there are none.
func (p *pool) work() {
	for {
		p.mu.Lock()
		if len(p.tasks) == 0 || p.state == poolTerminated {
			p.workers--
			if p.workers == 0 && p.state != poolRunning {
				p.joins.wakeAll()
			}
			p.mu.Unlock()
			return
		}
		t := p.tasks[0]
		p.tasks[0] = nil
		p.tasks = p.tasks[1:]
		p.running[t] = struct{}{}
		p.mu.Unlock()
		if err := p.s.Safely("a task of a pool", func() { t.run(p.run, t.args) }); err != nil {
			p.s.Break(t.home, "a task", err)
			panic(err)
		}
		p.mu.Lock()
		delete(p.running, t)
		p.mu.Unlock()
		p.pays.Give(t.size())
	}
}

// errTerminated is the result of tasks that were not run. In CPython whoever
// waits for one waits for ever.
var errTerminated = pyvalue.RuntimeError("the pool was terminated before it ran this task")

// end moves the state on; it never goes back.
func (p *pool) end(state poolState) {
	p.mu.Lock()
	p.state = max(p.state, state)
	var dropped []*poolTask
	if p.state == poolTerminated {
		dropped, p.tasks = p.tasks, nil
		p.stop()
	}
	p.mu.Unlock()
	for _, t := range dropped {
		p.pays.Give(t.size())
		t.drop()
	}
}

// join waits until the workers of a pool that takes no more work are gone.
func (p *pool) join(c *store.Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.state == poolRunning:
		c.Fail(pyvalue.ValueError("Pool is still running"))
	case p.workers == 0:
		c.Return(none)
	default:
		p.joins.park(&p.mu, c, c.Deadline, nil, func() { c.Return(none) })
	}
}

// Refs implements store.Object: what tasks refer to that are queued or run, and
// what those have returned that ended before them and belong to the same call.
func (p *pool) Refs(yield func(id uint64) bool) {
	p.mu.Lock()
	tasks := slices.AppendSeq(slices.Clone(p.tasks), maps.Keys(p.running))
	p.mu.Unlock()
	more := true
	each := func(id uint64) bool {
		more = more && yield(id)
		return more
	}
	calls := map[*result]struct{}{}
	for _, t := range tasks {
		if t.args.Refs(each); !more {
			return
		}
		if t.of != nil && t.of.once { // others are objects themselves
			calls[t.of] = struct{}{}
		}
	}
	for r := range calls {
		r.Refs(each)
	}
}

// Repr implements store.Object.
func (p *pool) Repr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	state := [...]string{"RUN", "CLOSE", "TERMINATE"}[p.state]
	return "<multiprocessing.pool.Pool state=" + state + " pool_size=" + pyvalue.Repr(int64(p.size)) + ">"
}

// Snapshot implements store.Object: a pool cannot be copied.
func (p *pool) Snapshot() (store.Item, bool) { return store.Item{}, false }

// Dispose implements store.Object.
func (p *pool) Dispose() { p.end(poolTerminated) }
