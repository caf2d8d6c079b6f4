//go:build linux

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
	"multiproc/pool"
)

func TestMemoryLimit(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1, Start: mp.StartOptions{Stderr: discard{}}})
	const limit = 200 << 20
	ex := p.With(pool.Call{MemoryLimit: limit, Chunk: 3})
	i := 0
	for r, err := range Meet.Map(t.Context(), ex, slices.Values([]victim{{N: 0}, {1, "hoard"}, {N: 2}})) {
		var d *pool.WorkerDiedError
		switch {
		case i != 1 && (err != nil || r != i):
			t.Error(i, r, err)
		case i == 1 && (!errors.As(err, &d) || !errors.Is(err, pool.ErrMemoryLimit) || !d.OutOfMemory || d.Usage < limit || d.Limit != limit):
			t.Errorf("%v %+v", err, d)
		}
		i++
	}
}

func TestCPULimit(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	ex := p.With(pool.Call{CPULimit: 20 * time.Millisecond, Chunk: 10})
	items := make([]victim, 30)
	items[7].How = "busy"
	items[8].How = "system call for a while" // that takes time, and no processor
	i := 0
	for _, err := range Meet.Map(t.Context(), ex, slices.Values(items)) {
		if (i == 7) != errors.Is(err, pool.ErrCPULimit) || i != 7 && err != nil {
			t.Error(i, err)
		}
		i++
	}
}

// shared is what items tell each other about themselves.
type shared struct {
	Key     string
	N       int
	Running *mp.Counter
	Most    *mp.Value[int]
	Pause   time.Duration
}

// overlap notes the most items that it has seen running at once.
func overlap(ctx context.Context, s shared) (int, error) {
	n := int(s.Running.Add(1))
	defer s.Running.Add(-1)
	err := s.Most.Update(ctx, func(most *int) error {
		*most = max(*most, n)
		return nil
	})
	<-time.After(s.Pause)
	return s.N, err
}

var Overlap = mp.Func(overlap)

func newShared(t *testing.T) shared {
	t.Helper()
	running, err := mp.NewCounter(0)
	if err != nil {
		t.Fatal(err)
	}
	most, err := mp.NewValue(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = running.Close(), most.Close() })
	return shared{Running: running, Most: most}
}

func (s shared) most(t *testing.T) int {
	t.Helper()
	n, err := s.Most.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWeight(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 4})
	for weight, want := range map[int]int{2: 2, 3: 1, 9: 1} {
		s := newShared(t)
		s.Pause = time.Millisecond
		items := slices.Repeat([]shared{s}, 20)
		for _, err := range Overlap.Each(t.Context(), p.With(pool.Call{Weight: weight}), slices.Values(items)) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := s.most(t); n > want {
			t.Errorf("with a weight of %d, %d ran at once", weight, n)
		}
	}
}

// Items with the same key run one at a time and in their order; others meanwhile.
func TestKey(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 3})
	one, other := newShared(t), newShared(t)
	var items []shared
	for i := range 60 {
		s := one
		s.Key = "one"
		if i%2 == 1 {
			s = other
			s.Key = "other"
		}
		s.N, s.Pause = i, time.Duration(i%3)*time.Millisecond
		items = append(items, s)
	}
	last := map[int]int{0: -1, 1: -1}
	ex := p.With(pool.Call{Key: func(arg any) string { return arg.(shared).Key }})
	n := 0
	for r, err := range Overlap.Each(t.Context(), ex, slices.Values(items)) {
		if err != nil {
			t.Fatal(err)
		}
		if r < last[r%2] {
			t.Errorf("%d came after %d", r, last[r%2])
		}
		last[r%2] = r
		n++
	}
	if n != len(items) || one.most(t) != 1 || other.most(t) != 1 {
		t.Errorf("%d of %d items; %d and %d ran at once", n, len(items), one.most(t), other.most(t))
	}
}

// A key that an item holds is free when its worker has died, and when the call was
// given up others are not held.
func TestKeyOfTheDead(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2, Start: mp.StartOptions{Stderr: discard{}}})
	for _, retry := range []int{0, 1} {
		ex := p.With(pool.Call{Key: func(any) string { return "k" }, Retry: pool.Retry{Max: retry}})
		items := make([]victim, 20)
		items[3].How, items[9].How = "SIGKILL", "exit"
		n := 0
		for _, err := range Meet.Map(t.Context(), ex, slices.Values(items)) {
			if (err != nil) != (n == 3 || n == 9) {
				t.Error(n, err)
			}
			n++
		}
		if n != len(items) {
			t.Error(n)
		}
	}
}

func TestRate(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	began := time.Now()
	n := 0
	for _, err := range Increment.Map(t.Context(), p.With(pool.Call{Rate: 200, Burst: 5}), upTo(25)) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	// Five at once, and twenty more, 5 ms apart.
	if took := time.Since(began); n != 25 || took < 95*time.Millisecond {
		t.Errorf("%d items in %v", n, took)
	}
}

func whoAmI(context.Context, mp.None) (int, error) { return os.Getpid(), nil }

var WhoAmI = mp.Func(whoAmI)

func TestRecycling(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2, MaxItems: 10})
	items := map[int]int{}
	for pid, err := range WhoAmI.Each(t.Context(), p, slices.Values(make([]mp.None, 300))) {
		if err != nil {
			t.Fatal(err)
		}
		items[pid]++
	}
	for pid, n := range items {
		if n > 11 {
			t.Errorf("process %d ran %d items", pid, n)
		}
	}
	if st := p.Stats(); st.Deaths != 0 {
		t.Errorf("%v", st)
	}
}

func TestFresh(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2, Fresh: true})
	pids := map[int]bool{}
	for pid, err := range WhoAmI.Each(t.Context(), p, slices.Values(make([]mp.None, 30))) {
		if err != nil || pids[pid] {
			t.Error(pid, err)
		}
		pids[pid] = true
	}
}

// hoarded is what a worker keeps.
var hoarded []byte

func hoard(_ context.Context, n int) (int, error) {
	more := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		more[i] = 1
	}
	hoarded = append(hoarded, more...)
	return os.Getpid(), nil
}

var Hoard = mp.Func(hoard)

func TestMaxRSS(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1, MaxRSS: 100 << 20})
	pids := map[int]bool{}
	mptest.Eventually(t, func() bool {
		pid, err := Hoard.RunOn(t.Context(), p, 10<<20)
		if err != nil {
			t.Fatal(err)
		}
		pids[pid] = true
		return len(pids) == 3
	}, "the worker is replaced twice")
	mptest.Eventually(t, func() bool { return p.Stats().Ended >= 2 }, "two workers are gone")
	if st := p.Stats(); st.Deaths != 0 {
		t.Errorf("%v", st)
	}
}

func TestResize(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	count := func(n int) func() bool {
		return func() bool {
			workers := p.Stats().Workers
			return len(workers) == n && !slices.ContainsFunc(workers, func(w pool.WorkerStats) bool { return w.State != "idle" })
		}
	}
	for _, n := range []int{3, 1, 2} {
		if err := p.Resize(n); err != nil {
			t.Fatal(err)
		}
		mptest.Eventually(t, count(n), "there are %d workers", n)
	}
	if err := p.Resize(0); err == nil {
		t.Error("a pool without workers")
	}
}

func TestIdle(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 3, Idle: 10 * time.Millisecond, Min: 1})
	for range 2 {
		s := newShared(t)
		s.Pause = 5 * time.Millisecond
		mptest.Eventually(t, func() bool {
			for _, err := range Overlap.Each(t.Context(), p, slices.Values(slices.Repeat([]shared{s}, 20))) {
				if err != nil {
					t.Fatal(err)
				}
			}
			return s.most(t) > 1
		}, "several run at once")
		mptest.Eventually(t, func() bool { return len(p.Stats().Workers) == 1 }, "one worker is left")
	}
}

// A worker in a control group of its own: the kernel holds its limit, and what its
// items leave behind ends with it.
func TestCgroup(t *testing.T) {
	dir := memoryGroup(t)
	p, err := pool.New(pool.Options{Workers: 1, Cgroup: dir, Start: mp.StartOptions{Stderr: discard{}}})
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	const limit = 200 << 20
	left, err := Leave.RunOn(t.Context(), p, mp.None{})
	if err != nil || !mptest.Alive(left) {
		t.Error(left, err)
	}
	i := 0
	items := []victim{{N: 0}, {1, "hoard"}, {N: 2}}
	for r, err := range Meet.Map(t.Context(), p.With(pool.Call{MemoryLimit: limit}), slices.Values(items)) {
		var d *pool.WorkerDiedError
		switch {
		case i != 1 && (err != nil || r != i):
			t.Error(i, r, err)
		case i == 1 && (!errors.As(err, &d) || !errors.Is(err, pool.ErrMemoryLimit) || !d.OutOfMemory || d.Limit != limit || d.State.Signal != syscall.SIGKILL):
			t.Errorf("%v %+v", err, d)
		case i == 1:
			t.Logf("%v, of %d", err, d.Usage)
		}
		i++
	}
	if mptest.Alive(left) {
		t.Error("what the first item has started lives on")
	}
	// Without a limit it may have more.
	if n, err := Large.RunOn(t.Context(), p, 2*limit); n != 2*limit || err != nil {
		t.Error(n, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if list, _ := filepath.Glob(fmt.Sprintf("%s/multiproc-%d-*", dir, os.Getpid())); len(list) > 0 {
		t.Errorf("groups are left: %q", list)
	}
	if _, err := pool.New(pool.Options{Cgroup: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "control group") {
		t.Errorf("in a directory that is none: %v", err)
	}
}

// leave leaves a process behind, and returns its number.
func leave(context.Context, mp.None) (int, error) {
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		return 0, err
	}
	pid := c.Process.Pid
	return pid, c.Process.Release()
}

// large uses so much memory.
func large(_ context.Context, n int) (int, error) {
	b := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		b[i] = 1
	}
	return len(b), nil
}

var (
	Leave = mp.Func(leave)
	Large = mp.Func(large)
)

// memoryGroup is the directory of the control group of this process, of version 1, or
// of version 2 if groups in it may bound memory.
func memoryGroup(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) == 3 && f[1] == "memory" {
			for _, dir := range []string{"/sys/fs/cgroup/memory" + f[2], "/sys/fs/cgroup/memory"} { // in a container, the latter
				if _, err := os.Stat(dir + "/memory.limit_in_bytes"); err == nil {
					return dir
				}
			}
		}
		if len(f) == 3 && f[0] == "0" {
			if on, _ := os.ReadFile("/sys/fs/cgroup" + f[2] + "/cgroup.subtree_control"); strings.Contains(string(on), "memory") {
				return "/sys/fs/cgroup" + f[2]
			}
		}
	}
	t.Skip("no control group that bounds memory")
	return ""
}
