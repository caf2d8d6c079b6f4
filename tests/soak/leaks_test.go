//go:build soak

package soak

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

// Nothing does nothing.
var Nothing = mp.Proc(func(context.Context, mp.None) error { return nil }, mp.Named("nothing"))

// mptest.Main fails the run if any of them is still there.
func TestTenThousandProcesses(t *testing.T) {
	threads := func() int {
		list, err := os.ReadDir("/proc/self/task")
		must(t, err)
		return len(list)
	}
	before, began := 0, time.Now()
	for i := range 10_000 {
		p, err := Nothing.Start(t.Context(), mp.None{})
		must(t, err)
		must(t, p.Wait(t.Context()))
		if i == 100 {
			before = threads()
		}
	}
	t.Logf("10 000 processes in %v", time.Since(began))
	if now := threads(); now > before+5 {
		t.Errorf("from %d to %d threads", before, now)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 32<<20 {
		t.Errorf("%d MiB of heap are left", m.HeapAlloc>>20)
	}
}

const familyEnv = "MP_SOAK_FAMILY"

func init() {
	if os.Getenv(familyEnv) != "" && os.Getenv("MULTIPROC_CHILD") == "" {
		mainOfFamily = true
	}
}

var mainOfFamily bool

// Tree starts as many generations below it, three children each, and waits.
var Tree *mp.Task[int, mp.None]

func init() {
	Tree = mp.Proc(func(ctx context.Context, depth int) error {
		fmt.Println(os.Getpid())
		for range 3 {
			if depth > 0 {
				if _, err := Tree.Start(context.Background(), depth-1); err != nil {
					return err
				}
			}
		}
		<-ctx.Done()
		select {}
	}, mp.Named("tree"))
}

// TestFamily is the program whose family is killed, when it is run by
// TestFamilyKilled.
func TestFamily(t *testing.T) {
	if !mainOfFamily {
		t.Skip("run by TestFamilyKilled")
	}
	p, err := Tree.Start(t.Context(), 2)
	must(t, err)
	must(t, p.Wait(t.Context()))
}

func TestFamilyKilled(t *testing.T) {
	for range 20 {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestFamily$")
		cmd.Env = append(os.Environ(), familyEnv+"=1")
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		var pids []int
		for len(pids) < 1+3+9 && lines.Scan() {
			var pid int
			if _, err := fmt.Sscan(lines.Text(), &pid); err == nil {
				pids = append(pids, pid)
			}
		}
		must(t, cmd.Process.Kill())
		killed := time.Now()
		for lines.Scan() { // until nobody holds the output any more
		}
		if d := time.Since(killed); d > time.Second {
			t.Errorf("13 processes of three generations ended %v after their root", d)
		}
		_ = cmd.Wait()
		for _, pid := range pids {
			mptest.Eventually(t, func() bool { return !mptest.Alive(pid) }, "process %d ended", pid)
		}
	}
}
