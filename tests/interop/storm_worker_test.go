//go:build interop

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"multiproc/manager"
	"multiproc/mp"
)

// ids is how many items each worker can put.
const ids = 1_000_000

// item is what goes through the storm's queue; in Python it is a dict.
type item struct {
	ID   int
	Load string
}

// shelved is a dict in the storm's list.
type shelved = mp.Dict[string, any]

// stormWork is one worker's share. What it does stands in testdata/victim.py as
// well: they do the same.
type stormWork struct {
	Address   string
	Key       []byte
	Directory string
	Number    int
}

// Victim works until it is stopped or killed.
var Victim = mp.Proc(func(ctx context.Context, w stormWork) error {
	m, err := manager.Dial(ctx, w.Address, manager.Options{Authkey: w.Key})
	if err != nil {
		return err
	}
	defer m.Close()
	v := &victim{stormWork: w, m: m, next: w.Number * ids}
	if v.log, err = os.OpenFile(logOf(w.Directory, w.Number), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	defer v.log.Close()
	if err := v.open(ctx); err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	if err := v.run(ctx); err != nil {
		v.write("error %s", bytes.ReplaceAll([]byte(err.Error()), []byte("\n"), []byte(" ")))
		return err
	}
	v.write("done")
	return nil
}, mp.Named("interop.victim"))

func logOf(directory string, number int) string {
	return filepath.Join(directory, fmt.Sprintf("%d.log", number))
}

type victim struct {
	stormWork
	m      *manager.Manager
	log    *os.File
	next   int
	items  *mp.Queue[item]
	shelf  *mp.List[*shelved]
	inside *mp.Dict[string, int]
	mutex  *mp.Mutex
	tools  map[string]*manager.Object
}

func (v *victim) write(format string, args ...any) {
	_, _ = fmt.Fprintf(v.log, format+"\n", args...)
}

// open finds the objects, and says that the worker is there.
func (v *victim) open(ctx context.Context) (err error) {
	in := mp.In(v.m)
	if v.items, err = mp.NewQueue[item](0, in, mp.WithName("items")); err != nil {
		return err
	}
	if v.shelf, err = mp.NewList[*shelved](in, mp.WithName("shelf")); err != nil {
		return err
	}
	if v.inside, err = mp.NewDict[string, int](in, mp.WithName("inside")); err != nil {
		return err
	}
	if v.mutex, err = mp.NewMutex(in, mp.WithName("mutex")); err != nil {
		return err
	}
	shared, err := mp.NewDict[string, *manager.Object](in, mp.WithName("tools"))
	if err != nil {
		return err
	}
	if v.tools, err = shared.Copy(ctx); err != nil {
		return err
	}
	born, err := mp.NewQueue[int](0, in, mp.WithName("born"))
	if err != nil {
		return err
	}
	defer born.Close()
	return born.Put(ctx, v.Number)
}

// call calls a method of a tool.
func (v *victim) call(ctx context.Context, tool, method string, args ...any) (bool, error) {
	yes, err := manager.Call[*bool](ctx, v.tools[tool], method, args...)
	return yes != nil && *yes, err
}

func (v *victim) run(ctx context.Context) error {
	work := []func(context.Context) error{v.lock, v.relock, v.notify, v.count, v.nest, v.iterate, v.flag}
	for range 4 {
		work = append(work, v.put, v.get)
	}
	for {
		stop, err := v.call(ctx, "stop", "is_set")
		if stop || err != nil {
			return err
		}
		if err := work[rand.IntN(len(work))](ctx); err != nil {
			return err
		}
	}
}

func (v *victim) put(ctx context.Context) error {
	v.next++
	v.write("put %d", v.next)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
	defer cancel()
	err := v.items.Put(ctx, item{v.next, strings.Repeat("x", rand.IntN(2000))})
	if errors.Is(err, context.DeadlineExceeded) {
		v.write("full %d", v.next)
		return nil
	}
	if err == nil {
		v.write("has put %d", v.next)
	}
	return err
}

func (v *victim) get(ctx context.Context) error {
	v.write("get")
	ctx, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
	defer cancel()
	it, err := v.items.Get(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		v.write("empty")
		return nil
	}
	if err == nil {
		v.write("got %d", it.ID)
	}
	return err
}

// critical does what nobody else may do at the same time.
func (v *victim) critical(ctx context.Context, name string) error {
	if err := v.inside.Set(ctx, name, v.Number); err != nil {
		return err
	}
	now, err := v.inside.Get(ctx, name)
	if err == nil && now != v.Number {
		err = fmt.Errorf("%d is inside of %s with me", now, name)
	}
	return err
}

func (v *victim) lock(ctx context.Context) error {
	var died *mp.OwnerDiedError
	switch err := v.mutex.Lock(ctx); {
	case errors.As(err, &died):
		v.write("repair %d", died.PID)
		return v.mutex.Repair(ctx, func() error { return v.critical(ctx, "mutex") })
	case err != nil:
		return err
	}
	defer v.mutex.Unlock()
	return v.critical(ctx, "mutex")
}

// holding runs f with a tool acquired, as often as times says.
func (v *victim) holding(ctx context.Context, tool string, times int, f func() error) error {
	for range times {
		if ok, err := v.call(ctx, tool, "acquire"); !ok || err != nil {
			return fmt.Errorf("acquire %s: %v %w", tool, ok, err)
		}
	}
	err := f()
	for range times {
		if _, rErr := v.call(ctx, tool, "release"); err == nil {
			err = rErr
		}
	}
	return err
}

func (v *victim) relock(ctx context.Context) error {
	return v.holding(ctx, "rlock", 2, func() error { return v.critical(ctx, "rlock") })
}

func (v *victim) notify(ctx context.Context) error {
	return v.holding(ctx, "condition", 1, func() error {
		if err := v.critical(ctx, "condition"); err != nil {
			return err
		}
		if _, err := v.call(ctx, "condition", "wait", rand.Float64()*0.005); err != nil {
			return err
		}
		if err := v.critical(ctx, "condition"); err != nil {
			return err
		}
		_, err := v.call(ctx, "condition", "notify")
		return err
	})
}

func (v *victim) count(ctx context.Context) error {
	nothing := func() error { return nil }
	return errors.Join(v.holding(ctx, "semaphore", 1, nothing), v.holding(ctx, "bounded", 1, nothing))
}

func (v *victim) flag(ctx context.Context) error {
	_, err := v.call(ctx, "event", []string{"set", "clear"}[rand.IntN(2)])
	if err == nil {
		_, err = v.call(ctx, "event", "wait", 0.001)
	}
	return err
}

// gone forgives what is somebody else's and not ready yet, or taken away.
func gone(err error) error {
	if errors.Is(err, mp.ErrIndex) || errors.Is(err, mp.ErrNoKey) {
		return nil
	}
	return err
}

func (v *victim) nest(ctx context.Context) error {
	d, err := mp.NewDict[string, any](mp.In(v.m))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := errors.Join(d.Set(ctx, "by", v.Number), v.shelf.Append(ctx, d)); err != nil {
		return err
	}
	inner, err := mp.NewList[int](mp.In(v.m))
	if err != nil {
		return err
	}
	defer inner.Close()
	if err := errors.Join(d.Set(ctx, "inner", inner), inner.Append(ctx, v.Number)); err != nil {
		return err
	}
	if n, err := v.shelf.Len(ctx); err != nil || n <= 16 {
		return err
	}
	first, err := v.shelf.Pop(ctx, 0)
	if err != nil {
		return gone(err)
	}
	defer first.Close()
	_, err = first.Get(ctx, "by")
	return gone(err)
}

func (v *victim) iterate(ctx context.Context) error {
	if err := v.inside.Set(ctx, fmt.Sprint(rand.IntN(8)), v.Number); err != nil {
		return err
	}
	for _, err := range v.inside.All(ctx) {
		if err != nil {
			return err
		}
	}
	return nil
}
