//go:build linux

package progress_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"multiproc/mp"
	"multiproc/mptest"
	"multiproc/pool"
	"multiproc/progress"
)

func TestMain(m *testing.M) { mptest.Main(m) }

// half refuses odd numbers, and its process dies of 2 the first time.
func half(_ context.Context, a halfArgs) (int, error) {
	if a.N == 2 && os.Mkdir(a.Once, 0o700) == nil {
		os.Exit(3)
	}
	if a.N%2 != 0 {
		return 0, errors.New("odd")
	}
	return a.N / 2, nil
}

type halfArgs struct {
	N    int
	Once string // a directory that does not exist before
}

var Half = mp.Func(half)

func wait(ctx context.Context, _ mp.None) (mp.None, error) {
	<-ctx.Done()
	return mp.None{}, ctx.Err()
}

var Wait = mp.Func(wait)

func newPool(t *testing.T, o pool.Options) *pool.Pool {
	t.Helper()
	p, err := pool.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// output is what a bar has written.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// check compares the last line, without its times.
func (o *output) check(t *testing.T, begin, end string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := strings.Split(o.text.String(), "\n")
	if s := lines[max(len(lines)-2, 0)]; !strings.HasPrefix(s, begin+" in ") || !strings.HasSuffix(s, end) {
		t.Errorf("the last line is %q, want %q, a time, and %q", s, begin, end)
	}
}

// What the package says that users write. The pool may tell the end of a call a
// moment after the end of its loop; the test waits for it.
func TestMapWithBar(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	for n := range 50 {
		args := make([]halfArgs, 100)
		for i := range args {
			args[i] = halfArgs{i, fmt.Sprintf("%s/%d", t.TempDir(), n)}
		}
		out := new(output)
		bar := progress.New(out, progress.Options{Name: "halving", Total: len(args)})
		told := make(chan struct{})
		observe := func(e pool.Event) {
			if bar.Observe(e); e.Kind == pool.CallEnded {
				close(told)
			}
		}
		call := pool.Call{Observe: observe, Retry: pool.Retry{Max: 5}}
		for _, err := range Half.Map(t.Context(), p.With(call), slices.Values(args)) {
			if _, odd := errors.AsType[*mp.RemoteError](err); err != nil && !odd {
				t.Error(err)
			}
		}
		<-told
		if err := bar.Close(); err != nil {
			t.Fatal(err)
		}
		out.check(t, "halving: 100 of 100", "/s, 50 failed, 1 retried")
		if t.Failed() {
			break
		}
	}
}

// All calls of a pool on one bar.
func TestPoolWithBar(t *testing.T) {
	out := new(output)
	bar := progress.New(out, progress.Options{})
	p := newPool(t, pool.Options{Workers: 1, Observe: bar.Observe})
	for range 3 {
		if _, err := Half.RunOn(t.Context(), p, halfArgs{N: 4}); err != nil {
			t.Fatal(err)
		}
	}
	if err := bar.Close(); err != nil {
		t.Fatal(err)
	}
	out.check(t, "3", "/s")
}

// The call is given up, and the bar is closed while its item still runs.
func TestGivenUpWithBar(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	out := new(output)
	bar := progress.New(out, progress.Options{Total: 5})
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := func(e pool.Event) {
		if bar.Observe(e); e.Kind == pool.CallBegan {
			go cancel()
		}
	}
	for _, err := range Wait.Map(ctx, p.With(pool.Call{Observe: cancelled}), slices.Values(make([]mp.None, 5))) {
		if err == nil {
			t.Error("an item that waits for ever has a result")
		}
	}
	if err := bar.Close(); err != nil {
		t.Fatal(err)
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	if s := out.text.String(); !strings.Contains(s, "given up") {
		t.Errorf("it is %q", s)
	}
}

// Two calls at a time, each with its bar.
func ExampleGroup() {
	ctx := context.Background()
	p, err := pool.New(pool.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	bars := progress.NewGroup(io.Discard) // os.Stderr
	defer bars.Close()

	var calls sync.WaitGroup
	for i := range 2 {
		bar := bars.Bar(progress.Options{Name: fmt.Sprint("call ", i), Total: 100})
		calls.Go(func() {
			defer bar.Close()
			args := slices.Repeat([]halfArgs{{N: 4}}, 100)
			for _, err := range Half.Each(ctx, p.With(pool.Call{Observe: bar.Observe}), slices.Values(args)) {
				if err != nil {
					_, _ = fmt.Fprintln(bars.Above(os.Stderr), err)
				}
			}
		})
	}
	calls.Wait()
	fmt.Println("done")
	// Output: done
}
