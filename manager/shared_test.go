package manager

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/mp"
)

// depot is a registered type whose methods return objects of the manager that
// serves it.
type depot struct{ place *Manager }

func (d *depot) Orders(ctx context.Context) (*mp.Queue[any], error) {
	return mp.NewQueue[any](0, mp.In(d.place), mp.WithName("orders"))
}

// Fresh is a queue that nobody else has.
func (d *depot) Fresh() (*mp.Queue[any], error) { return mp.NewQueue[any](0, mp.In(d.place)) }

func (d *depot) Stock(ctx context.Context) (*mp.Dict[string, int], error) {
	return mp.NewDict[string, int](mp.In(d.place), mp.WithName("stock"))
}

// Any returns a handle of which the method's type says nothing.
func (d *depot) Any(ctx context.Context) (any, error) { return d.Stock(ctx) }

func (d *depot) Pair(ctx context.Context) (string, *mp.Dict[string, int], error) {
	s, err := d.Stock(ctx)
	return "stock", s, err
}

func (d *depot) None() *mp.Queue[any] { return nil }

func (d *depot) Closed() (*mp.Queue[any], error) {
	q, err := mp.NewQueue[any](0, mp.In(d.place))
	if err == nil {
		err = q.Close()
	}
	return q, err
}

var (
	here      sync.Mutex // one test at a time
	depotAt   atomic.Pointer[depot]
	elsewhere atomic.Pointer[mp.Queue[any]]
)

func (d *depot) Elsewhere() *mp.Queue[any] { return elsewhere.Load() }

func init() {
	Register("test.Depot", func() *depot { return depotAt.Load() })
	Register("depot_orders", func() (*mp.Queue[any], error) { return depotAt.Load().Orders(context.Background()) })
	Register("get_fresh", func() (*mp.Queue[any], error) { return depotAt.Load().Fresh() })
	Register("get_elsewhere", func() *mp.Queue[any] { return elsewhere.Load() })
}

// serveDepot is a server whose program is a client of it.
func serveDepot(t *testing.T) (address string) {
	t.Helper()
	here.Lock()
	t.Cleanup(here.Unlock)
	address = serveTest(t)
	depotAt.Store(&depot{dialTest(t, address)})
	return address
}

// A handle that a method returns is a handle to the same object at the caller.
func TestMethodsReturnHandles(t *testing.T) {
	ctx := t.Context()
	m := dialTest(t, serveDepot(t))
	o, err := New(ctx, m, "test.Depot")
	if err != nil {
		t.Fatal(err)
	}
	q, err := Call[*mp.Queue[any]](ctx, o, "Orders")
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	mine, err := depotAt.Load().Orders(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	if err := q.Put(ctx, "tea"); err != nil {
		t.Error(err)
	}
	if v, err := mine.Get(ctx); v != "tea" || err != nil {
		t.Errorf("the program's handle gets %v, %v", v, err)
	}
	for _, method := range []string{"Stock", "Any"} {
		d, err := Call[*mp.Dict[string, int]](ctx, o, method)
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		if _, err := d.Add(ctx, "pears", 1); err != nil {
			t.Error(err)
		}
		_ = d.Close()
	}
	p, err := Call[struct {
		Name  string
		Stock *mp.Dict[string, int]
	}](ctx, o, "Pair")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stock.Close()
	if n, err := p.Stock.Get(ctx, "pears"); n != 2 || err != nil || p.Name != "stock" {
		t.Errorf("%s has %d pears, %v", p.Name, n, err)
	}
	if q, err := Call[*mp.Queue[any]](ctx, o, "None"); q != nil || err != nil {
		t.Errorf("no queue: %v, %v", q, err)
	}
	if _, err := Call[*mp.Queue[any]](ctx, o, "Orders", 1); err == nil {
		t.Error("an argument too many")
	}
	same, err := New(ctx, m, "depot_orders")
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	if same.Type() != "Queue" {
		t.Errorf("depot_orders makes a %s", same.Type())
	}
	if _, err := Call[mp.None](ctx, same, "put", "milk"); err != nil {
		t.Error(err)
	}
	if v, err := q.Get(ctx); v != "milk" || err != nil {
		t.Errorf("the queue of depot_orders had %v, %v", v, err)
	}
}

// What a method makes for its caller lives as long as the caller wants.
func TestMethodReturnsWhatNobodyKeeps(t *testing.T) {
	ctx := t.Context()
	m := dialTest(t, serveDepot(t))
	o, err := New(ctx, m, "test.Depot")
	if err != nil {
		t.Fatal(err)
	}
	made, err := New(ctx, m, "get_fresh")
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	for range 20 {
		q, err := Call[*mp.Queue[any]](ctx, o, "Fresh")
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		if err := q.Put(ctx, 1); err != nil {
			t.Fatal(err)
		}
		_ = q.Close()
	}
	if _, err := Call[mp.None](ctx, made, "put", 1); err != nil {
		t.Error(err)
	}
}

// A handle that cannot be returned is an error that says why.
func TestMethodsReturnOtherHandles(t *testing.T) {
	ctx := t.Context()
	m := dialTest(t, serveDepot(t))
	o, err := New(ctx, m, "test.Depot")
	if err != nil {
		t.Fatal(err)
	}
	other := dialTest(t, serveTest(t))
	for what, f := range map[string]func() (*mp.Queue[any], error){
		"is in manager": func() (*mp.Queue[any], error) { return mp.NewQueue[any](0, mp.In(other)) },
		"in memory":     func() (*mp.Queue[any], error) { return mp.NewQueue[any](0) },
	} {
		q, err := f()
		if err != nil {
			t.Fatal(err)
		}
		elsewhere.Store(q)
		if _, err := Call[*mp.Queue[any]](ctx, o, "Elsewhere"); !errors.Is(err, mp.ErrType) || !strings.Contains(err.Error(), what) {
			t.Errorf("a method returns one that %s: %v", what, err)
		}
		if _, err := New(ctx, m, "get_elsewhere"); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("a constructor returns one that %s: %v", what, err)
		}
		_ = q.Close()
	}
	if _, err := Call[*mp.Queue[any]](ctx, o, "Closed"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a closed one: %v", err)
	}
}

type taker struct{}

func (taker) Take(*mp.Queue[int]) {}

// What could only fail later is refused when it is registered, with the way out.
func TestRegisterRefusesHandles(t *testing.T) {
	panics := func(f func()) (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		f()
		return ""
	}
	for want, f := range map[string]func(){
		"Take, argument 1: a *mp.Queue[int]":        func() { Register("test.taker", func() taker { return taker{} }) },
		"constructor, argument 1: a *mp.Queue[int]": func() { Register("test.taker", func(*mp.Queue[int]) *tally { return nil }) },
		"test.f, argument 1: a *mp.Queue[int]":      func() { RegisterFunc("test.f", func(*mp.Queue[int]) {}) },
		"result 1: a function cannot return":        func() { RegisterFunc("test.f", func() *mp.Queue[int] { return nil }) },
	} {
		text := panics(f)
		if !strings.Contains(text, want) || !strings.Contains(text, "name") || !strings.Contains(text, "shared_test.go:") {
			t.Errorf("it said %q, want %q", text, want)
		}
	}
}

// A stock Python client gets proxies: of a callable as in Python's recipe, and of
// methods as with method_to_typeid.
func TestPythonGetsSharedObjects(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		address := serveDepot(t)
		p := startPython(t, python, address, filepath.Join("..", "..", "..", "..", "manager", "testdata", "shared"))
		p.Want("get")
		q, err := depotAt.Load().Orders(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		if v, err := q.Get(t.Context()); v != "tea" || err != nil {
			t.Errorf("%v, %v", v, err)
		}
		if err := q.Put(t.Context(), "milk"); err != nil {
			t.Error(err)
		}
		p.Want("ok")
		p.Ended()
	})
}

// A handle to memory whose own methods can be called from afar is an object like
// any other of the program.
func TestRegisteredCounter(t *testing.T) {
	here.Lock()
	defer here.Unlock()
	c, err := mp.NewCounter(5)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	Register("test.MemoryCounter", func() *mp.Counter { return c })
	m := dialTest(t, serveTest(t))
	o, err := New(t.Context(), m, "test.MemoryCounter")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if n, err := Call[int](t.Context(), o, "add", 2); n != 7 || err != nil || c.Load() != 7 {
		t.Errorf("%d, %v", n, err)
	}
}
