//go:build mpcrash

package failpoint

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestMain: as a child, this binary passes two points until it is killed.
func TestMain(m *testing.M) {
	if os.Getenv("FAILPOINT_CHILD") != "" {
		for range 5 {
			Hit("other")
			_, _ = os.Stdout.WriteString("x")
			Hit("point")
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestDiesAtTheNthPass(t *testing.T) {
	for spec, want := range map[string]string{"point": "x", "point:1": "x", "point:3": "xxx", "other:2": "x", "point:9": "xxxxx", "": "xxxxx"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FAILPOINT_CHILD=1", "MP_FAILPOINT="+spec)
		out, _ := cmd.Output()
		killed := cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
		if string(out) != want || killed != (len(want) < 5) {
			t.Errorf("%q: wrote %q, killed %v", spec, out, killed)
		}
	}
	for _, spec := range []string{"point:0", "point:x", "point:"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FAILPOINT_CHILD=1", "MP_FAILPOINT="+spec)
		if err := cmd.Run(); err == nil {
			t.Errorf("%q was accepted", spec)
		}
	}
}

func TestHook(t *testing.T) {
	var seen []string
	SetHook(func(name string) { seen = append(seen, name) })
	Hit("a")
	Hit("b")
	SetHook(nil)
	Hit("c")
	if len(seen) != 2 || seen[0] != "a" || seen[1] != "b" || !Enabled {
		t.Errorf("the hook saw %v", seen)
	}
}
