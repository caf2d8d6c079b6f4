//go:build linux

package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"multiproc/mp"
	"multiproc/mptest"
	"multiproc/pool"
)

// safeBuffer is a buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func say(_ context.Context, n int) (int, error) {
	fmt.Printf("one %d\ntwo %d\nthree", n, n)
	fmt.Fprintln(os.Stderr, "err", n)
	fmt.Println()
	return n, nil
}

var Say = mp.Func(say)

func TestPrefix(t *testing.T) {
	var out, errs safeBuffer
	p := newPool(t, pool.Options{Workers: 2, Prefix: true, Start: mp.StartOptions{Name: "w", Stdout: &out, Stderr: &errs}})
	for _, err := range Say.Map(t.Context(), p, upTo(20)) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 60 || strings.Count(errs.String(), "\n") != 20 {
		t.Errorf("%d and %d lines", len(lines), strings.Count(errs.String(), "\n"))
	}
	for _, l := range lines {
		if !strings.HasPrefix(l, "w-1: ") && !strings.HasPrefix(l, "w-2: ") {
			t.Errorf("%q", l)
		}
	}
}

func whichCPUs(context.Context, mp.None) (string, error) {
	b, err := os.ReadFile("/proc/self/status")
	for l := range strings.Lines(string(b)) {
		if list, ok := strings.CutPrefix(l, "Cpus_allowed_list:"); ok {
			return strings.TrimSpace(list), nil
		}
	}
	return "", err
}

var WhichCPUs = mp.Func(whichCPUs)

func TestCPUs(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2, CPUs: [][]int{{0}}})
	if got, err := WhichCPUs.RunOn(t.Context(), p, mp.None{}); got != "0" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// starve leaves a process no descriptors for another worker, and then some.
func starve(ctx context.Context, _ mp.None) (string, error) {
	p, err := pool.New(pool.Options{Workers: 1})
	if err != nil {
		return "", err
	}
	defer p.Stop(ctx)
	if _, err := Increment.RunOn(ctx, p, 1); err != nil {
		return "", err
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		return "", err
	}
	few := old
	few.Cur = 3
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		return "", err
	}
	for i := range 10 { // the worker that there is needs none
		if _, err := Increment.RunOn(ctx, p, i); err != nil {
			return "", err
		}
	}
	pid := p.Stats().Workers[0].PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return "", err
	}
	_, refused := Increment.RunOn(ctx, p, 1)
	if refused == nil {
		return "", errors.New("a worker was started without descriptors")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		return "", err
	}
	for {
		if _, err := Increment.RunOn(ctx, p, 1); err == nil {
			return refused.Error(), nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
}

var Starve = mp.Func(starve)

func TestNoDescriptors(t *testing.T) {
	text, err := Starve.Run(t.Context(), mp.None{})
	if err != nil || !strings.Contains(text, "no worker can begin") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestObserve(t *testing.T) {
	var mu sync.Mutex
	counts := map[pool.EventKind]int{}
	items := 0
	observe := func(e pool.Event) {
		mu.Lock()
		defer mu.Unlock()
		counts[e.Kind]++
		items += e.Count
	}
	p := newPool(t, pool.Options{Workers: 1, Observe: observe, Start: mp.StartOptions{Stderr: discard{}}})
	own := 0
	call := pool.Call{
		Observe: func(e pool.Event) {
			mu.Lock()
			defer mu.Unlock()
			own += e.Count
			if e.Task != Meet.Name() {
				t.Errorf("%+v", e)
			}
		},
		Retry: pool.Retry{Max: 1},
	}
	for range Meet.Map(t.Context(), p.With(call), slices.Values([]victim{{}, {How: "SIGKILL"}, {}})) {
	}
	// The item that kills may have been the last: then nobody has waited for the third worker.
	for range Meet.Map(t.Context(), p.With(call), slices.Values([]victim{{}})) {
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	want := map[pool.EventKind]int{
		pool.WorkerStarted: 3, pool.WorkerReady: 3, pool.WorkerEnded: 3, pool.CallBegan: 2, pool.CallEnded: 2, pool.ItemRetried: 1,
	}
	for kind, n := range want {
		if counts[kind] != n {
			t.Errorf("%v: %d times, want %d", kind, counts[kind], n)
		}
	}
	if items != 4 || own != 4 {
		t.Errorf("%d and %d items", items, own)
	}
}

func TestStats(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	for _, err := range Describe.Map(t.Context(), p.With(pool.Call{Chunk: 1}), orders(3)) {
		if err != nil {
			t.Fatal(err)
		}
	}
	mptest.Eventually(t, func() bool {
		st := p.Stats()
		return st.Items == 3 && st.Running == 0 && len(st.Workers) == 1 && st.Workers[0].Items == 3 && len(st.Slowest) == 3
	}, "three items are counted")
	text := p.Stats().String()
	for _, want := range []string{"3 items done", "worker-1", "idle", "slowest", "{Name:a N:1 Tags:[x y]}"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestRefusedOptions(t *testing.T) {
	for _, o := range []pool.Options{{Workers: -1}, {MaxItems: -1}, {Min: 1}, {MaxRSS: -1}, {MinFree: -1}} {
		if p, err := pool.New(o); err == nil {
			t.Errorf("%+v was taken", o)
			_ = p.Close()
		}
	}
	p := newPool(t, pool.Options{Workers: 1})
	for _, c := range []pool.Call{{Chunk: -1}, {Window: -1}, {Timeout: -1}, {Rate: -1}, {Weight: -1}, {Chunk: 1 << 40}} {
		if _, err := Increment.RunOn(t.Context(), p.With(c), 1); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
