package machine

import (
	"math"
	"os"
	"testing"
	"time"
)

func TestOutOfMemoryKills(t *testing.T) {
	files := map[string]string{
		"/sys/fs/cgroup/memory/a/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
		"/sys/fs/cgroup/a/memory.events":             "low 0\nhigh 1\nmax 9\noom 3\noom_kill 5\noom_group_kill 0\n",
		"/sys/fs/cgroup/a/memory.max":                "1000\n",
		"/sys/fs/cgroup/a/memory.current":            "900\n",
		"/sys/fs/cgroup/a/memory.stat":               "anon 500\ninactive_file 300\nactive_file 50\n",
	}
	read := func(name string) ([]byte, error) {
		if s, ok := files[name]; ok {
			return []byte(s), nil
		}
		return nil, os.ErrNotExist
	}
	const (
		v1 = "33 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		v2 = "35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	)
	for _, x := range []struct {
		in, mounts  string
		kills, left int64
	}{
		{"4:memory:/a\n", v1, 4, math.MaxInt64},
		{"0::/a\n", v2, 5, 450},
		{"0::/a/b\n", v2, 5, 450},
		{"", "", 0, math.MaxInt64},
	} {
		g := groups{[]byte(x.in), []byte(x.mounts), read}
		if n := g.kills(); n != x.kills {
			t.Errorf("%q: %d kills, want %d", x.in, n, x.kills)
		}
		if n := g.left(); n != x.left {
			t.Errorf("%q: %d bytes left, want %d", x.in, n, x.left)
		}
	}
}

func TestOwnProcess(t *testing.T) {
	began, err := CPUTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for spent := time.Duration(0); spent < time.Millisecond; {
		now, err := CPUTime(os.Getpid())
		if err != nil || now < began {
			t.Fatal(now, began, err)
		}
		spent = now - began
	}
	if n, err := Resident(os.Getpid()); n < 100<<10 || err != nil {
		t.Error(n, err)
	}
	if n := Available(); n <= 0 || n == math.MaxInt64 {
		t.Errorf("%d bytes are available", n)
	}
}
