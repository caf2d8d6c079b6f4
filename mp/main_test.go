//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"multiproc/manager"
	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
	"multiproc/mptest"
)

// programEnv names the program that the test binary is to be instead of a
// test run: for what one cannot do in the test's own process, such as dying.
const programEnv = "MP_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(hangEnv) != "" {
		forks()
		hang() // a child that never comes as far as Init
	}
	if p := programs[os.Getenv(programEnv)]; p != nil {
		p()
		return
	}
	mptest.Main(m)
}

// must ends the test at an error that it is not about.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get is must for calls with a result.
func get[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// wantErr checks an error's identity.
func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// within is a context that ends soon: for calls that are expected to wait
// for ever.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// short is how long a call may take before it is taken to be waiting.
const short = 20 * time.Millisecond

// waiting returns when so many goroutines are waiting in one of some functions, as
// their stacks show: "mp.Select(", for example.
func waiting(t testing.TB, n int, functions ...string) {
	t.Helper()
	buf := make([]byte, 1<<20)
	mptest.Eventually(t, func() bool {
		have := 0
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			head, _, _ := strings.Cut(g, "\n")
			if strings.Contains(head, "[run") { // running, runnable
				continue
			}
			if slices.ContainsFunc(functions, func(f string) bool { return strings.Contains(g, f) }) {
				have++
			}
		}
		return have >= n
	}, "%d wait in %s", n, functions)
}

type closer interface{ Close() error }

// closing closes a handle at the end of the test; that it is closed by then is
// no error, a Conn may have moved.
func closing[C closer](t testing.TB, c C) C {
	t.Helper()
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, mp.ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

func queue[T any](t testing.TB, n int, opts ...mp.Option) *mp.Queue[T] {
	t.Helper()
	return closing(t, get(mp.NewQueue[T](n, opts...))(t))
}

func counter(t testing.TB, n int64) *mp.Counter {
	t.Helper()
	return closing(t, get(mp.NewCounter(n))(t))
}

func value[T any](t testing.TB, v T, opts ...mp.Option) *mp.Value[T] {
	t.Helper()
	return closing(t, get(mp.NewValue(v, opts...))(t))
}

func mutex(t testing.TB, opts ...mp.Option) *mp.Mutex {
	t.Helper()
	return closing(t, get(mp.NewMutex(opts...))(t))
}

// everywhere runs a test with objects in memory and in each place: what the
// options say.
func everywhere(t *testing.T, f func(t *testing.T, in ...mp.Option)) {
	t.Helper()
	inMemoryAndPlaces(t, func(t *testing.T, p driver.Place) { f(t, where(p)...) })
}

// inPlaces runs a test in the twin of all places, and in a manager.
func inPlaces(t *testing.T, f func(t *testing.T, p driver.Place)) {
	t.Helper()
	t.Run("twin", func(t *testing.T) { f(t, drivertest.Memory()) })
	t.Run("manager", func(t *testing.T) { f(t, served(t)) })
}

// inMemoryAndPlaces is inPlaces in memory, too, where the place is nil; see where.
func inMemoryAndPlaces(t *testing.T, f func(t *testing.T, p driver.Place)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { f(t, nil) })
	inPlaces(t, f)
}

// where are the options that make an object there.
func where(p driver.Place) []mp.Option {
	if p == nil {
		return nil
	}
	return []mp.Option{mp.In(p)}
}

var servers atomic.Int64

// served is a manager in this process.
func served(t *testing.T) driver.Place {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	address, o := fmt.Sprintf("@mp-test-%d-%d", os.Getpid(), servers.Add(1)), manager.Options{Authkey: []byte("test")}
	l, err := manager.Listen(address)
	must(t, err)
	ended := make(chan error, 1)
	go func() { ended <- manager.Serve(ctx, l, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return closing(t, get(manager.Dial(t.Context(), address, o))(t))
}

func pipe[S, R any](t testing.TB, opts ...mp.Option) (*mp.Conn[S, R], *mp.Conn[R, S]) {
	t.Helper()
	a, b, err := mp.Pipe[S, R](opts...)
	must(t, err)
	return closing(t, a), closing(t, b)
}

func oneWay[T any](t testing.TB, opts ...mp.Option) (*mp.Conn[mp.None, T], *mp.Conn[T, mp.None]) {
	t.Helper()
	r, s, err := mp.PipeOneWay[T](opts...)
	must(t, err)
	return closing(t, r), closing(t, s)
}

// start starts a task whose process is gone at the end of the test.
func start[A, R any](t testing.TB, task *mp.Task[A, R], args A) *mp.Process[R] {
	t.Helper()
	return startWith(t, task, mp.StartOptions{}, args)
}

func startWith[A, R any](t testing.TB, task *mp.Task[A, R], o mp.StartOptions, args A) *mp.Process[R] {
	t.Helper()
	p, err := task.With(o).Start(context.Background(), args)
	must(t, err)
	t.Cleanup(func() {
		_ = p.Kill()
		<-p.Done()
	})
	return p
}

// finish waits for a process that is to end well.
func finish(t testing.TB, p mp.Child) {
	t.Helper()
	if err := p.Wait(t.Context()); err != nil {
		t.Errorf("%s: %v", p.Name(), err)
	}
}

func osPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	return r, w
}

// stillRuns ends the test if a process has ended that is waited for to do something.
func stillRuns(t *testing.T, p mp.Child) {
	t.Helper()
	select {
	case <-p.Done():
		t.Fatalf("it ended too early: %v", p.Wait(t.Context()))
	default:
	}
}
