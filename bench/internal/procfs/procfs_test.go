package procfs

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"
)

func TestStatTime(t *testing.T) {
	line := "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 120 30 5 6 20 0 1 0 100 0 0\n"
	got, err := statTime([]byte(line))
	if err != nil || got != 1500*time.Millisecond {
		t.Errorf("statTime = %v, %v; want 1.5s", got, err)
	}
	for _, bad := range []string{"", "42 (a", "42 (a) S 1 2", "42 (a) S 1 42 42 0 -1 4194560 1 2 3 4 x 30 5"} {
		if _, err := statTime([]byte(bad)); err == nil {
			t.Errorf("statTime(%q) found nothing wrong", bad)
		}
	}
}

func TestSchedTime(t *testing.T) {
	if got := schedTime([]byte("123456 789 10\n")); got != 123456 {
		t.Errorf("schedTime = %d, want 123456", got)
	}
	if got := schedTime(nil); got != 0 {
		t.Errorf("schedTime of nothing = %d", got)
	}
}

func TestResidentSum(t *testing.T) {
	rollup := "55-7f ---p 0 [rollup]\nRss:  900 kB\nPss:  500 kB\nPss_Anon:   96 kB\nPss_File:  300 kB\nPss_Shmem:  4 kB\n"
	if got, err := resident([]byte(rollup)); err != nil || got != 100<<10 {
		t.Errorf("resident = %d, %v; want 100 KiB", got, err)
	}
	if _, err := resident([]byte("Rss: 900 kB\n")); err == nil {
		t.Error("a rollup without the two lines was accepted")
	}
}

func TestStatParent(t *testing.T) {
	pid, parent, err := statParent([]byte("42 (a) b (c)) S 17 42 42 0\n"))
	if err != nil || pid != 42 || parent != 17 {
		t.Errorf("statParent = %d, %d, %v; want 42, 17", pid, parent, err)
	}
	for _, bad := range []string{"", "42 (a", "42 (a) S", "42 (a) S x", "x (a) S 1"} {
		if _, _, err := statParent([]byte(bad)); err == nil {
			t.Errorf("statParent(%q) found nothing wrong", bad)
		}
	}
}

func TestChildren(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/proc is Linux's")
	}
	child := exec.CommandContext(t.Context(), "sleep", "60")
	if err := child.Start(); err != nil {
		t.Skip(err)
	}
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	pids, err := Children()
	if err != nil || !slices.Contains(pids, child.Process.Pid) {
		t.Errorf("Children = %v, %v; want %d among them", pids, err, child.Process.Pid)
	}
}

func TestThisProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/proc is Linux's")
	}
	if d, err := CPUTime(os.Getpid()); err != nil || d <= 0 {
		t.Errorf("CPUTime = %v, %v", d, err)
	}
	if n, err := Resident(); err != nil || n <= 0 {
		t.Errorf("Resident = %v, %v", n, err)
	}
}
