//go:build linux

package mp_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"multiproc/mp"
	"multiproc/mptest"
)

// records are two numbers that a writer keeps equal.
type records struct {
	Do     string
	M      *mp.RWMutex
	Cells  *mp.RawArray[int]
	Say    *mp.Queue[string]
	Rounds int
}

func newRecords(t *testing.T) records {
	t.Helper()
	return records{
		M:     closing(t, get(mp.NewRWMutex())(t)),
		Cells: closing(t, get(mp.NewRawArray[int](2))(t)), Say: queue[string](t, 100), Rounds: 2000,
	}
}

func (r records) to(what string) records { r.Do = what; return r }

// write adds one to both; read checks that they are equal.
func (r records) write(ctx context.Context) error {
	if err := r.M.Lock(ctx); err != nil {
		return err
	}
	defer r.M.Unlock()
	r.Cells.Elements()[0]++
	r.Cells.Elements()[1]++
	return nil
}

func (r records) read(ctx context.Context) error {
	if err := r.M.RLock(ctx); err != nil {
		return err
	}
	defer r.M.RUnlock()
	if c := r.Cells.Elements(); c[0] != c[1] {
		return errors.New("a reader beside a writer")
	}
	return nil
}

// KeepRecords does what it is told to do.
var KeepRecords = mp.Proc(func(ctx context.Context, r records) error {
	var err error
	switch r.Do {
	case "read and write":
		for i := 0; i < r.Rounds && err == nil; i++ {
			if err = r.read(ctx); err == nil && i%4 == 0 {
				err = r.write(ctx)
			}
		}
		return err
	case "read":
		err = errors.Join(r.M.RLock(ctx), r.M.RLock(ctx))
	case "read and leave":
		return errors.Join(r.M.RLock(ctx), r.Say.Put(ctx, r.Do))
	case "write":
		err = r.M.Lock(ctx)
	case "wait to write":
		go func() { _ = r.M.Lock(context.Background()) }()
	case "write and leave":
		return errors.Join(r.M.Lock(ctx), r.Say.Put(ctx, r.Do))
	}
	if err = errors.Join(err, r.Say.Put(ctx, r.Do)); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}, mp.Named("keep records"))

func (r records) begin(t *testing.T, what string) mp.Child {
	t.Helper()
	c := start(t, KeepRecords, r.to(what))
	if got := get(r.Say.Get(within(t, long)))(t); got != what {
		t.Fatalf("it says %q", got)
	}
	return c
}

func TestRWMutexOfProcesses(t *testing.T) {
	r := newRecords(t)
	children := []mp.Child{start(t, KeepRecords, r.to("read and write")), start(t, KeepRecords, r.to("read and write"))}
	var all sync.WaitGroup
	for range 2 { // goroutines of one process exclude one another, too
		all.Go(func() {
			for i := range r.Rounds {
				if err := r.read(t.Context()); err != nil {
					t.Error(err)
				}
				if i%4 == 0 {
					if err := r.write(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	for _, c := range children {
		finish(t, c)
	}
	if n := r.Cells.Elements()[0]; n != r.Rounds {
		t.Errorf("%d writes, want %d", n, r.Rounds)
	}
}

// A reader that ends in any way has left, and a writer that waited is nobody.
func TestReadersThatEnd(t *testing.T) {
	r, ctx := newRecords(t), within(t, long)
	for _, how := range []string{"read", "read and leave"} {
		c := r.begin(t, how)
		got := make(chan error)
		go func() { got <- r.M.Lock(ctx) }()
		if how == "read" {
			must(t, c.Kill())
		} else {
			finish(t, c)
		}
		must(t, <-got)
		r.M.Unlock()
	}
	must(t, r.M.RLock(ctx))
	c := r.begin(t, "wait to write")
	mptest.Eventually(t, func() bool {
		ok := get(r.M.TryRLock(ctx))(t)
		if ok {
			r.M.RUnlock()
		}
		return !ok
	}, "nobody waits to write")
	must(t, c.Kill())
	must(t, r.M.RLock(ctx))
	r.M.RUnlock()
	r.M.RUnlock()
}

// A writer that ends with the lock breaks it, for those who wait and who come.
func TestWritersThatEnd(t *testing.T) {
	r, ctx := newRecords(t), within(t, long)
	for _, how := range []string{"write", "write and leave"} {
		c, got := r.begin(t, how), make(chan error)
		go func() { got <- r.M.RLock(ctx) }()
		go func() { got <- r.M.Lock(ctx) }()
		if how == "write" {
			must(t, c.Kill())
		} else {
			finish(t, c)
		}
		var died *mp.OwnerDiedError
		for range 2 {
			if err := <-got; !errors.As(err, &died) || died.PID != c.PID() {
				t.Errorf("%s: %v", how, err)
			}
		}
		wantErr(t, "a repair that fails", r.M.Repair(ctx, func() error { return errMine }), errMine)
		if _, err := r.M.TryRLock(ctx); !errors.As(err, &died) {
			t.Error(err)
		}
		must(t, r.M.Repair(ctx, func() error { return nil }))
		must(t, errors.Join(r.write(ctx), r.read(ctx)))
	}
}

// What is held through a closed handle, or one that nobody has any more, stays held;
// and calls that wait end with the handle through which they wait.
func TestRWMutexClosed(t *testing.T) {
	m, carrier, ctx := closing(t, get(mp.NewRWMutex())(t)), queue[*mp.RWMutex](t, 10), within(t, long)
	another := func() *mp.RWMutex {
		must(t, carrier.Put(ctx, m))
		return get(carrier.Get(ctx))(t)
	}
	a := another()
	must(t, errors.Join(a.RLock(ctx), a.RLock(ctx), a.Close()))
	for range 2 {
		if get(m.TryLock(ctx))(t) {
			t.Fatal("a writer beside a reader whose handle is closed")
		}
		a.RUnlock()
	}
	wantPanic(t, "does not hold", a.RUnlock)
	b := another()
	must(t, errors.Join(b.Lock(ctx), b.Close()))
	if get(m.TryRLock(ctx))(t) {
		t.Fatal("a reader beside a writer whose handle is closed")
	}
	wantPanic(t, "does not hold", m.Unlock) // it was taken through another handle
	b.Unlock()
	must(t, m.Lock(ctx))
	c, d, got := another(), another(), make(chan error)
	go func() { got <- c.RLock(ctx) }()
	go func() { got <- d.Lock(ctx) }()
	must(t, c.Close())
	wantErr(t, "a reader whose handle is closed", <-got, mp.ErrClosed)
	must(t, d.Close())
	wantErr(t, "a writer whose handle is closed", <-got, mp.ErrClosed)
	m.Unlock()
}
