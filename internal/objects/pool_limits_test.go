package objects

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
	"multiproc/mptest"
)

var echo = pyvalue.Global{Module: "tasks", Name: "echo"}

// echoing is a store with a function that waits until let go, and returns its
// argument.
func echoing(t testing.TB, l store.Limits) (s *store.Store, letGo func()) {
	s = newStore(t, l)
	free := make(chan struct{})
	s.AddFunc("tasks.echo", func(_ context.Context, args store.Args) (store.Item, error) {
		<-free
		return args.Pos[0], nil
	})
	return s, func() { close(free) }
}

// What tasks are given and return is charged, and given back.
func TestPoolIsCharged(t *testing.T) {
	big := string(make([]byte, 1000))
	for _, method := range []string{"apply", "map", "starmap", "apply_async", "map_async", "imap", "imap_unordered"} {
		s, letGo := echoing(t, store.Limits{Bytes: 200_000})
		c := connect(t, s)
		pool := c.create("Pool", int64(2))
		args := pyvalue.Value(pyList(big, big, big))
		switch method {
		case "starmap":
			args = pyList(pyList(big), pyList(big))
		case "apply", "apply_async":
			args = pyvalue.Tuple{big}
		}
		p := c.start(pool, method, echo, args)
		if n := s.Bytes(); n < 1000 {
			t.Errorf("%s: %d bytes are charged for queued tasks", method, n)
		}
		letGo()
		mptest.Eventually(t, p.answered, "%s is answered", p.Method)
		if p.newID != 0 {
			get := "get"
			if method[0] == 'i' {
				get = "__next__"
			}
			g := c.async(p.newID, get)
			<-g.done
			if _, err := g.result(); err != nil {
				t.Errorf("%s: %v", method, err)
			}
			_ = c.ss.Decref(p.newID)
		}
		mptest.Eventually(t, func() bool { return s.Bytes() == 0 }, "nothing is charged")
	}

	s, letGo := echoing(t, store.Limits{Bytes: 200_000})
	defer letGo()
	c := connect(t, s)
	pool := c.create("Pool", int64(2))
	for _, args := range []pyvalue.Value{pyvalue.Range{Start: int64(0), Stop: int64(1 << 20), Step: int64(1)}, pyList(string(make([]byte, 400_000)))} {
		for _, method := range []string{"map_async", "imap"} {
			if _, err := c.do(pool, method, echo, args); !errors.Is(err, mperr.ErrLimit) {
				t.Errorf("%s beyond the limit: %v", method, err)
			}
		}
	}
	if n := s.Bytes(); n != 0 {
		t.Errorf("what failed keeps %d bytes", n)
	}
}

// Whoever waits for tasks that a terminated pool has not begun is told.
func TestTerminatedPoolAnswers(t *testing.T) {
	s, letGo := echoing(t, store.Limits{})
	c := connect(t, s)
	id := c.create("Pool", int64(1))
	busy := c.start(id, "apply", echo, pyvalue.Tuple{"busy"})
	o, _ := s.Object(id)
	p := o.(*pool)
	mptest.Eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.running) == 1
	}, "the first task runs")
	lost := c.start(id, "apply", echo, pyvalue.Tuple{"lost"})
	async := c.start(id, "map_async", echo, pyList("a", "b"))
	imap := c.start(id, "imap", echo, pyList("a", "b"))
	get, wait, next := c.start(async.newID, "get"), c.start(async.newID, "wait"), c.start(imap.newID, "__next__")
	wantWaiting(t, busy, lost, get, wait, next)
	c.must(nil, id, "terminate")
	const terminated = "RuntimeError('the pool was terminated before it ran this task')"
	for _, p := range []*pending{lost, get, next} {
		wantFailure(t, p, terminated)
	}
	wantResult(t, wait, nil)
	letGo()
	mptest.Eventually(t, busy.answered, "%s is answered", busy.Method)
	wantResult(t, busy, "busy")
	for _, id := range []uint64{async.newID, imap.newID} {
		_ = c.ss.Decref(id)
	}
	mptest.Eventually(t, func() bool { return s.Bytes() == 0 }, "nothing is charged")
}

// A pool maps over what a shared list contains, as CPython's does.
func TestPoolOverShared(t *testing.T) {
	s, letGo := echoing(t, store.Limits{})
	letGo()
	c := connect(t, s)
	pool, l := c.create("Pool", int64(1)), c.create("list", pyList(int64(1), int64(2)))
	p := c.start(pool, "map", echo, pyvalue.Ref{ID: l, Type: "list"})
	mptest.Eventually(t, p.answered, "%s is answered", p.Method)
	wantResult(t, p, pyList(int64(1), int64(2)))
}

// The arguments of a task refer to objects as long as it has not ended.
func TestPoolRefersToArguments(t *testing.T) {
	s, letGo := echoing(t, store.Limits{})
	defer letGo()
	c := connect(t, s)
	pool, l := c.create("Pool", int64(1)), c.create("list")
	ref := pyvalue.Ref{ID: l, Type: "list"}
	for range 2 { // one runs, one waits
		c.start(pool, "apply_async", echo, pyvalue.Tuple{ref})
	}
	o, _ := s.Object(pool)
	n := 0
	o.Refs(func(id uint64) bool {
		if id == l {
			n++
		}
		return true
	})
	if n != 2 {
		t.Errorf("the tasks have %d references, want 2", n)
	}
}

// What tasks have returned refers to objects, too, as long as the call waits for
// the others.
func TestPoolRefersToResults(t *testing.T) {
	for _, method := range []string{"map", "map_async"} {
		s, letGo := echoing(t, store.Limits{})
		c := connect(t, s)
		pool, l := c.create("Pool", int64(2)), c.create("list")
		s.AddFunc("tasks.find", func(ctx context.Context, args store.Args) (store.Item, error) {
			if args.Pos[0].Value() == "wait" {
				return s.Func("tasks.echo")(ctx, args)
			}
			return store.Of(pyvalue.Ref{ID: l, Type: "list"}), nil
		})
		p := c.start(pool, method, pyvalue.Global{Module: "tasks", Name: "find"}, pyList("find", "wait"))
		id := pool
		if method == "map_async" {
			id = p.newID
		}
		o, _ := s.Object(id)
		mptest.Eventually(t, func() bool {
			n := 0
			o.Refs(func(id uint64) bool { n++; return id == l })
			return n == 1
		}, "%s: the result refers to the list", method)
		letGo()
		mptest.Eventually(t, p.answered, "%s is answered", method)
	}
}

// What a result keeps of the function that was asked for is short.
func TestPoolFunctionsAreShort(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	id := c.create("Pool", int64(1))
	long := strings.Repeat("x", 1<<20)
	getattr := pyvalue.Global{Module: "builtins", Name: "getattr"}
	for _, f := range []pyvalue.Value{
		long,
		pyvalue.Global{Module: "tasks", Name: long},
		&pyvalue.Object{Func: getattr, Args: pyvalue.Tuple{pyvalue.Ref{ID: id, Type: "Pool"}, long}},
	} {
		p := c.async(id, "apply", f)
		<-p.done
		if _, err := p.result(); err == nil || len(err.Error()) > 2*maxMessage {
			t.Errorf("the error has %d characters", len(fmt.Sprint(err)))
		}
	}
}

// As in Python there is no call back where there were no tasks: it might wait,
// and with it the connection of whoever asked.
func TestPoolOfNothingCallsNobody(t *testing.T) {
	s, letGo := echoing(t, store.Limits{})
	letGo()
	c := connect(t, s)
	pool, queue := c.create("Pool", int64(1)), c.create("Queue", int64(1))
	c.must(nil, queue, "put", "first")
	put := &pyvalue.Object{
		Func: pyvalue.Global{Module: "builtins", Name: "getattr"},
		Args: pyvalue.Tuple{pyvalue.Ref{ID: queue, Type: "Queue"}, "put"},
	}
	begun := make(chan *pending, 1)
	go func() { begun <- c.start(pool, "map_async", echo, pyList(), int64(1), put) }()
	mptest.Eventually(t, func() bool { return len(begun) == 1 }, "the call has begun")
	p := <-begun
	c.must(true, p.newID, "ready")
	c.must(pyList(), p.newID, "get")
	c.must("first", queue, "get")
	c.must(true, queue, "empty")
}
