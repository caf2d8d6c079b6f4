package budget

import (
	"math"
	"os"
	"testing"
)

func TestGroupLimit(t *testing.T) {
	files := map[string]string{
		"/sys/fs/cgroup/memory/memory.limit_in_bytes":     "9223372036854771712\n",
		"/sys/fs/cgroup/memory/a/memory.limit_in_bytes":   "3000\n",
		"/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "5000\n",
		"/sys/fs/cgroup/a/b/memory.max":                   "max\n",
		"/sys/fs/cgroup/a/memory.max":                     "4000\n",
		"/sys/fs/cgroup/a/memory.high":                    "2000\n",
		"/c/memory.max":                                   "1000\n",
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
		groups, mounts string
		want           int64
	}{
		{"4:memory:/a/b\n1:cpu:/x\n0::/\n", v1, 3000},
		{"0::/a/b\n", v2, 2000},
		{"4:memory:/a/b\n0::/a/b\n", v1 + v2, 2000},
		{"0::/a/b/d\n", in, 1000},
		{"0::/\n", in, 1000},
		{"0::/elsewhere\n", v2, math.MaxInt64},
		{"", "", math.MaxInt64},
	} {
		if got := groupLimit([]byte(x.groups), []byte(x.mounts), read); got != x.want {
			t.Errorf("%q in %q: %d, want %d", x.groups, x.mounts, got, x.want)
		}
	}
	if n := Default(); n < least || n == math.MaxInt64 {
		t.Errorf("the default is %d", n)
	}
}
