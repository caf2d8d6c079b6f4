// Package drivertest is the test of every place: [Run] checks that a driver
// keeps what package driver promises, [Memory] is a place that does, in as few
// lines as can be, and [Differential] checks that a place answers as Memory does.
package drivertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"multiproc/internal/complete"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

// Run runs the suite. open returns a place that is empty and that nobody else
// uses, different from those it has returned before, and sees to it that
// t.Cleanup closes it. Kinds that the place does not offer are skipped, with a
// message, if it refuses them as it should; so is the rest of a test that comes to
// a method that the place does not offer and that cannot be built, or to a name or a
// reference, if the place has none.
//
// Where open has called [CountWaits], the suite knows when a call waits;
// elsewhere it takes one to wait that has not returned after a short time.
func Run(t *testing.T, open func(t *testing.T) driver.Place) {
	for _, k := range []struct {
		name  string
		kind  driver.Kind // empty: no particular one
		tests []test
	}{
		{"queue", driver.KindQueue, queueTests},
		{"leases", driver.KindQueue, leaseTests},
		{"dict", driver.KindDict, dictTests},
		{"pages", driver.KindDict, pageTests},
		{"namespace", driver.KindNamespace, namespaceTests},
		{"watch", driver.KindDict, watchTests},
		{"time to live", driver.KindDict, ttlTests},
		{"list", driver.KindList, listTests},
		{"slices", driver.KindList, sliceTests},
		{"set", driver.KindSet, setTests},
		{"value", driver.KindValue, valueTests},
		{"mutex", driver.KindMutex, mutexTests},
		{"recursive mutex", driver.KindRecursiveMutex, recursiveTests},
		{"semaphore", driver.KindSemaphore, semaphoreTests},
		{"bounded semaphore", driver.KindBoundedSemaphore, boundedTests},
		{"event", driver.KindEvent, eventTests},
		{"cond", driver.KindCond, condTests},
		{"cond as a mutex", driver.KindCond, lockTests(driver.KindCond)},
		{"barrier", driver.KindBarrier, barrierTests},
		{"waitgroup", driver.KindWaitGroup, waitGroupTests},
		{"once", driver.KindOnce, onceTests},
		{"rwmutex", driver.KindRWMutex, rwTests},
		{"rwmutex as a mutex", driver.KindRWMutex, lockTests(driver.KindRWMutex)},
		{"names", "", nameTests},
		{"handles", "", handleTests},
		{"nesting", "", nestingTests},
	} {
		t.Run(k.name, func(t *testing.T) {
			for _, x := range k.tests {
				t.Run(x.name, func(t *testing.T) {
					p := open(t)
					if k.kind != "" && !offers(t, p, k.kind) {
						t.Skipf("%v does not offer %s", p, k.kind)
					}
					x.run(t, p)
				})
			}
		})
	}
	t.Run("strangers", func(t *testing.T) { testStrangers(t, open) })
}

// test is one of the suite. Its place is its own.
type test struct {
	name string
	run  func(t *testing.T, p driver.Place)
}

// timeLimit bounds what is expected to happen; short is how long a call may take
// before it is taken to be waiting.
const (
	timeLimit = 20 * time.Second
	short     = 30 * time.Millisecond
)

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// spec is how an object of a kind is opened where nothing else matters.
func spec(kind driver.Kind) driver.Spec {
	s := driver.Spec{Kind: kind}
	switch kind {
	case driver.KindValue:
		s.Init = []byte{0} // the integer 0
	case driver.KindSemaphore, driver.KindBoundedSemaphore:
		s.Size = 1
	case driver.KindBarrier:
		s.Size = 2
	}
	return s
}

// offers reports whether the place has objects of that kind.
func offers(t *testing.T, p driver.Place, kind driver.Kind) bool {
	t.Helper()
	o, err := p.Open(within(t, timeLimit), spec(kind))
	if errors.Is(err, errors.ErrUnsupported) {
		return false
	}
	must(t, err)
	must(t, o.Close())
	return true
}

// kinds are those that the place offers.
func kinds(t *testing.T, p driver.Place) []driver.Kind {
	t.Helper()
	all := []driver.Kind{
		driver.KindQueue, driver.KindDict, driver.KindList, driver.KindSet,
		driver.KindNamespace, driver.KindValue, driver.KindMutex,
		driver.KindRecursiveMutex, driver.KindSemaphore, driver.KindBoundedSemaphore, driver.KindEvent,
		driver.KindCond, driver.KindBarrier, driver.KindRWMutex,
		driver.KindWaitGroup, driver.KindOnce,
	}
	return slices.DeleteFunc(all, func(k driver.Kind) bool { return !offers(t, p, k) })
}

// open opens an object, completes it, and closes it at the end of the test.
func open[O driver.Object](t *testing.T, p driver.Place, s driver.Spec) O {
	t.Helper()
	o, err := p.Open(within(t, timeLimit), s)
	if s.Name != "" && errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	must(t, err)
	full, method, ok := complete.Of(s.Kind, o)
	if !ok {
		_ = o.Close()
		t.Fatalf("%v is a %T, which has no method %s of a %s", o, o, method, s.Kind)
	}
	return closing[O](t, full)
}

// closing asserts that an object has the interface of its kind, and closes it at
// the end.
func closing[O driver.Object](t *testing.T, o driver.Object) O {
	t.Helper()
	t.Cleanup(func() {
		if err := o.Close(); err != nil && !errors.Is(err, mperr.ErrClosed) {
			t.Errorf("close %v: %v", o, err)
		}
	})
	typed, ok := o.(O)
	if !ok {
		t.Fatalf("%v is a %T, not a %T", o, o, new(O))
	}
	return typed
}

// able skips the rest of a test that comes to what the place does not offer.
func able(t *testing.T, err error) {
	t.Helper()
	if m := (*complete.Missing)(nil); errors.As(err, &m) {
		t.Skip(m)
	}
}

// needsMethod skips a test at its beginning, where others wait for what comes later.
func needsMethod(t *testing.T, o driver.Object, method string) {
	t.Helper()
	if lacks(o, method) {
		t.Skipf("%v does not offer %s", o.Place(), method)
	}
}

func lacks(o driver.Object, method string) bool {
	return slices.Contains(complete.Lacks(o), method)
}

func must(t *testing.T, err error) {
	t.Helper()
	able(t, err)
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	able(t, err)
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// is checks a result that may not be an error.
func is[T comparable](t *testing.T, what string, got T, err error, want T) {
	t.Helper()
	able(t, err)
	if err != nil || got != want {
		t.Errorf("%s: got %v, %v, want %v", what, got, err, want)
	}
}

// item is a value as it crosses the seam.
func item(t *testing.T, v pyvalue.Value) []byte {
	t.Helper()
	if i, ok := v.(int); ok {
		v = int64(i)
	}
	b, err := interchange.AppendValue(nil, v)
	must(t, err)
	return b
}

func items(t *testing.T, vs ...pyvalue.Value) [][]byte {
	t.Helper()
	out := make([][]byte, len(vs))
	for i, v := range vs {
		out[i] = item(t, v)
	}
	return out
}

// text is how a value reads in Python.
func text(t *testing.T, b []byte) string {
	t.Helper()
	if b == nil {
		return "nothing"
	}
	v, err := interchange.ParseValue(b)
	must(t, err)
	return pyvalue.Repr(v)
}

func texts(t *testing.T, bs [][]byte) string {
	t.Helper()
	all := make([]string, len(bs))
	for i, b := range bs {
		all[i] = text(t, b)
	}
	return strings.Join(all, " ")
}

// reads checks a value that came back, by how it reads in Python.
func reads(t *testing.T, what string, got []byte, err error, want string) {
	t.Helper()
	able(t, err)
	if err != nil {
		t.Errorf("%s: %v, want %s", what, err, want)
		return
	}
	if s := text(t, got); s != want {
		t.Errorf("%s: got %s, want %s", what, s, want)
	}
}

// readAll is reads for many values.
func readAll(t *testing.T, what string, got [][]byte, err error, want string) {
	t.Helper()
	able(t, err)
	if err != nil {
		t.Errorf("%s: %v, want %s", what, err, want)
		return
	}
	if s := texts(t, got); s != want {
		t.Errorf("%s: got %s, want %s", what, s, want)
	}
}

// givesUp checks that a call that waits returns its context's error, when that
// ends meanwhile and when it has ended before.
func givesUp(t *testing.T, what string, call func(context.Context) error) {
	t.Helper()
	answer, cancel := waiting(t, what, call)
	cancel()
	wantErr(t, what+" after cancel", <-answer, context.Canceled)
	wantErr(t, what+" with a deadline", call(within(t, short)), context.DeadlineExceeded)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, what+" with an ended context", call(ended), context.Canceled)
}
