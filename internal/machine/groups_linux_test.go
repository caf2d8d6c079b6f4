package machine

import (
	"math"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestGroups(t *testing.T) {
	files := map[string]string{
		"/sys/fs/cgroup/memory/memory.limit_in_bytes":     "9223372036854771712\n",
		"/sys/fs/cgroup/memory/a/memory.limit_in_bytes":   "3000\n",
		"/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "5000\n",
		"/sys/fs/cgroup/a/b/memory.max":                   "max\n",
		"/sys/fs/cgroup/a/memory.max":                     "4000\n",
		"/sys/fs/cgroup/a/memory.high":                    "2000\n",
		"/c/memory.max":                                   "1000\n",
		"/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us":         "-1\n",
		"/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us":        "100000\n",
		"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us":           "150000\n",
		"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us":          "100000\n",
		"/sys/fs/cgroup/a/b/cpu.max":                      "max 100000\n",
		"/sys/fs/cgroup/a/cpu.max":                        "50000 100000\n",
	}
	read := func(name string) ([]byte, error) {
		if s, ok := files[name]; ok {
			return []byte(s), nil
		}
		return nil, os.ErrNotExist
	}
	const (
		v1 = "33 24 0:28 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n32 24 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		v2 = "35 24 0:30 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n"
		in = "35 24 0:30 /a/b /c rw - cgroup2 cgroup2 rw\n" // a container's
	)
	for _, x := range []struct {
		in, mounts string
		memory     int64
		processors float64
	}{
		{"4:memory:/a/b\n1:cpu,cpuacct:/a/b\n0::/\n", v1, 3000, 1.5},
		{"0::/a/b\n", v2, 2000, 0.5},
		{"4:memory:/a/b\n0::/a/b\n", v1 + v2, 2000, 0.5},
		{"0::/a/b/d\n", in, 1000, math.Inf(1)},
		{"0::/\n", in, 1000, math.Inf(1)},
		{"0::/elsewhere\n", v2, math.MaxInt64, math.Inf(1)},
		{"", "", math.MaxInt64, math.Inf(1)},
	} {
		g := groups{[]byte(x.in), []byte(x.mounts), read}
		if got := g.memory(); got != x.memory {
			t.Errorf("%q in %q: %d bytes, want %d", x.in, x.mounts, got, x.memory)
		}
		if got := g.processors(); got != x.processors {
			t.Errorf("%q in %q: %v processors, want %v", x.in, x.mounts, got, x.processors)
		}
	}
	if n := Memory(); n <= 0 || n == math.MaxInt64 {
		t.Errorf("this machine has %d bytes", n)
	}
}

// The processors that a process may use change under way.
func TestProcessors(t *testing.T) {
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil || old.Count() < 2 || ownGroups().processors() < 2 {
		t.Skip("a machine that does not tell, or has but one processor")
	}
	if n := Processors(); n > old.Count() || n < 2 {
		t.Errorf("%d processors of %d", n, old.Count())
	}
	runtime.LockOSThread() // the mask is the thread's; it is not given back
	for cpu := 0; one.Count() == 0; cpu++ {
		if old.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Skip(err)
	}
	if n := Processors(); n != 1 {
		t.Errorf("%d processors where one may be used", n)
	}
}
