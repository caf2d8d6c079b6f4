package drivertest

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var nameTests = []test{
	{"one object", testNames},
	{"another kind", testNameOfAnotherKind},
	{"no such kind", testNoSuchKind},
}

func testNames(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for _, kind := range kinds(t, p) {
		s := spec(kind)
		if s.Name = "the " + string(kind); kind == driver.KindValue {
			s.Init = item(t, "first")
		}
		a := open[driver.Object](t, p, s)
		if kind == driver.KindValue {
			s.Init = item(t, "second") // not heeded
		}
		b := open[driver.Object](t, p, s)
		mark(t, a)
		seen(t, "by its name", b)
		must(t, a.Close())
		must(t, b.Close())
		seen(t, "after both handles were closed", open[driver.Object](t, p, s))
		s.Name = ""
		if other := open[driver.Object](t, p, s); same(ctx, other) {
			t.Errorf("%v: a new object without a name has another's mark", other)
		}
	}
}

// mark changes an object; seen checks that it is that one.
func mark(t *testing.T, o driver.Object) {
	t.Helper()
	ctx, v := within(t, timeLimit), item(t, "mark")
	var err error
	switch o := o.(type) {
	case driver.Queue:
		err = o.Put(ctx, v)
	case driver.Dict:
		err = o.Set(ctx, v, v)
	case driver.List:
		err = o.Append(ctx, v)
	case driver.Set:
		_, err = o.Add(ctx, v)
	case driver.Value:
		err = o.Set(ctx, v)
	case driver.Mutex:
		err = o.Lock(ctx)
	default:
		err = markSync(ctx, o)
	}
	must(t, err)
}

func seen(t *testing.T, how string, o driver.Object) {
	t.Helper()
	if !same(within(t, timeLimit), o) {
		t.Errorf("%v, %s: it is another object", o, how)
	}
}

func same(ctx context.Context, o driver.Object) bool {
	switch o := o.(type) {
	case driver.Queue:
		n, err := o.Len(ctx)
		return n == 1 && err == nil
	case driver.Dict:
		n, err := o.Len(ctx)
		return n == 1 && err == nil
	case driver.List:
		n, err := o.Len(ctx)
		return n == 1 && err == nil
	case driver.Set:
		n, err := o.Len(ctx)
		return n == 1 && err == nil
	case driver.Value:
		v, err := o.Get(ctx)
		return err == nil && len(v.Value) == len("mark")+1
	case driver.Mutex:
		ok, err := o.TryLock(ctx)
		return !ok && err == nil
	}
	return sameSync(ctx, o)
}

func testNameOfAnotherKind(t *testing.T, p driver.Place) {
	all := kinds(t, p)
	if len(all) == 1 {
		t.Skipf("%v offers one kind", p)
	}
	for i, kind := range all {
		s := spec(kind)
		s.Name = "the " + string(kind)
		open[driver.Object](t, p, s)
		other := spec(all[(i+1)%len(all)])
		other.Name = s.Name
		o, err := p.Open(within(t, timeLimit), other)
		wantErr(t, s.Name+" as a "+string(other.Kind), err, mperr.ErrType)
		if err == nil {
			must(t, o.Close())
		}
	}
}

func testNoSuchKind(t *testing.T, p driver.Place) {
	_, err := p.Open(within(t, timeLimit), driver.Spec{Kind: "Perpetuum"})
	wantErr(t, "open", err, errors.ErrUnsupported)
}

var handleTests = []test{
	{"closed", testClosed},
	{"closed meanwhile", testClosedMeanwhile},
	{"shared", testClosedByOne},
	{"words", testWords},
	{"ended context", testOpenGivesUp},
}

// A closed handle answers every call with ErrClosed: the methods are found by
// reflection, so that none is forgotten.
func testClosed(t *testing.T, p driver.Place) {
	for _, kind := range kinds(t, p) {
		o := open[driver.Object](t, p, spec(kind))
		must(t, o.Close())
		face := faces[kind]
		for i := range face.NumMethod() {
			m := face.Method(i)
			if m.Name == "Watch" || m.Name == "Cap" || m.Name == "String" || m.Name == "Place" {
				continue
			}
			err := callZero(t, p, reflect.ValueOf(o).MethodByName(m.Name))
			if errors.Is(err, errors.ErrUnsupported) {
				continue
			}
			wantErr(t, string(kind)+"."+m.Name+" of a closed handle", err, mperr.ErrClosed)
		}
	}
}

var faces = map[driver.Kind]reflect.Type{
	driver.KindQueue:     reflect.TypeFor[complete.Queue](),
	driver.KindDict:      reflect.TypeFor[complete.Dict](),
	driver.KindNamespace: reflect.TypeFor[complete.Dict](),
	driver.KindList:      reflect.TypeFor[complete.List](),
	driver.KindSet:       reflect.TypeFor[complete.Set](),
	driver.KindValue:     reflect.TypeFor[complete.Value](),
	driver.KindMutex:     reflect.TypeFor[complete.Mutex](),

	driver.KindRecursiveMutex:   reflect.TypeFor[driver.RecursiveMutex](),
	driver.KindSemaphore:        reflect.TypeFor[driver.Semaphore](),
	driver.KindBoundedSemaphore: reflect.TypeFor[driver.Semaphore](),
	driver.KindEvent:            reflect.TypeFor[driver.Event](),
	driver.KindCond:             reflect.TypeFor[complete.Cond](),
	driver.KindBarrier:          reflect.TypeFor[driver.Barrier](),
	driver.KindRWMutex:          reflect.TypeFor[complete.RWMutex](),
	driver.KindWaitGroup:        reflect.TypeFor[driver.WaitGroup](),
	driver.KindOnce:             reflect.TypeFor[driver.Once](),
}

// callZero calls a method with arguments that say as little as may be, and
// returns its error.
func callZero(t *testing.T, p driver.Place, m reflect.Value) error {
	t.Helper()
	args := make([]reflect.Value, m.Type().NumIn())
	for i := range args {
		switch in := m.Type().In(i); in {
		case reflect.TypeFor[context.Context]():
			args[i] = reflect.ValueOf(within(t, timeLimit))
		case reflect.TypeFor[driver.Place]():
			args[i] = reflect.ValueOf(p)
		case reflect.TypeFor[[]byte]():
			args[i] = reflect.ValueOf(item(t, "k"))
		case reflect.TypeFor[[][]byte]():
			args[i] = reflect.ValueOf(items(t, "k"))
		case reflect.TypeFor[int]():
			args[i] = reflect.ValueOf(1)
		default:
			args[i] = reflect.Zero(in)
		}
	}
	out := m.Call(args)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

func testClosedMeanwhile(t *testing.T, p driver.Place) {
	for kind, wait := range map[driver.Kind]func(context.Context, driver.Object) error{
		driver.KindQueue:     func(ctx context.Context, o driver.Object) error { _, err := o.(driver.Queue).Get(ctx); return err },
		driver.KindMutex:     func(ctx context.Context, o driver.Object) error { return o.(driver.Mutex).Lock(ctx) },
		driver.KindRWMutex:   func(ctx context.Context, o driver.Object) error { return o.(driver.RWMutex).RLock(ctx) },
		driver.KindCond:      func(ctx context.Context, o driver.Object) error { return o.(driver.Cond).Wait(ctx) },
		driver.KindEvent:     func(ctx context.Context, o driver.Object) error { return o.(driver.Event).Wait(ctx) },
		driver.KindBarrier:   func(ctx context.Context, o driver.Object) error { _, err := o.(driver.Barrier).Wait(ctx); return err },
		driver.KindSemaphore: func(ctx context.Context, o driver.Object) error { return acquireAll(ctx, o.(driver.Semaphore)) },
		driver.KindOnce:      func(ctx context.Context, o driver.Object) error { _, err := o.(driver.Once).Begin(ctx); return err },
		driver.KindWaitGroup: func(ctx context.Context, o driver.Object) error { return o.(driver.WaitGroup).Wait(ctx) },
		driver.KindDict: func(ctx context.Context, o driver.Object) (last error) {
			for _, err := range o.(complete.Dict).Watch(ctx) {
				last = err
			}
			return last
		},
	} {
		if !offers(t, p, kind) {
			continue
		}
		o := open[driver.Object](t, p, spec(kind))
		if _, watches := complete.Bare(o).(driver.DictWatcher); kind == driver.KindDict && !watches {
			continue
		}
		if m, ok := o.(driver.Mutex); ok {
			must(t, m.Lock(within(t, timeLimit)))
		}
		if kind == driver.KindOnce || kind == driver.KindWaitGroup {
			mark(t, o)
		}
		answer, cancel := waiting(t, "a call", func(ctx context.Context) error { return wait(ctx, o) })
		defer cancel()
		must(t, o.Close())
		wantErr(t, string(kind)+": a call that waits in a handle that is closed", <-answer, mperr.ErrClosed)
		wantErr(t, string(kind)+": the second close", o.Close(), mperr.ErrClosed)
	}
}

// Close is for one handle only.
func testClosedByOne(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for _, kind := range kinds(t, p) {
		s := spec(kind)
		s.Name = "the " + string(kind)
		a, b := open[driver.Object](t, p, s), open[driver.Object](t, p, s)
		must(t, a.Close())
		mark(t, b)
		seen(t, "another handle to it was closed", b)
		if m, ok := b.(driver.Mutex); ok {
			must(t, m.Unlock(ctx))
		}
	}
}

func testWords(t *testing.T, p driver.Place) {
	if p.String() == "" {
		t.Error("the place has no words for itself")
	}
	for _, kind := range kinds(t, p) {
		s := spec(kind)
		s.Name = "orders"
		s.Name += string(kind)
		o := open[driver.Object](t, p, s)
		if !strings.Contains(o.String(), s.Name) {
			t.Errorf("%s %q calls itself %q", kind, s.Name, o)
		}
		if o.Place() == nil {
			t.Errorf("%v is in no place", o)
		}
	}
}

func testOpenGivesUp(t *testing.T, p driver.Place) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, kind := range kinds(t, p) {
		_, err := p.Open(ended, spec(kind))
		wantErr(t, "open "+string(kind), err, context.Canceled)
	}
}
