//go:build linux

package mp_test

import (
	"os"
	"testing"

	"multiproc/mp"
	"multiproc/mptest"
)

// processes counts this process's children, spares included.
func processes(t testing.TB) int {
	t.Helper()
	n := 0
	for pid := range childPIDs(t) {
		if mptest.Alive(pid) {
			n++
		}
	}
	return n
}

func TestSpares(t *testing.T) {
	t.Cleanup(func() { must(t, mp.KeepSpares(0)) })
	must(t, mp.KeepSpares(2))
	mptest.Eventually(t, func() bool { return processes(t) == 2 }, "two spares wait")
	if n := len(mp.Children()); n != 0 {
		t.Errorf("Children() counts %d spares", n)
	}
	waiting := childPIDs(t)

	p := startWith(t, WhoAmI, mp.StartOptions{Name: "warm"}, 1)
	w := get(p.Result(t.Context()))(t)
	if !waiting[p.PID()] {
		t.Error("the process that ran the task was no spare")
	}
	if w.PID != p.PID() || w.Name != "warm" || w.ParentName != "main" || w.ParentPID != os.Getpid() || w.Child == nil {
		t.Errorf("it says %+v", w)
	}
	mptest.Eventually(t, func() bool { return processes(t) == 2 }, "the spare was replaced")

	waiting = childPIDs(t)
	p = startWith(t, WhoAmI, mp.StartOptions{NoSpare: true}, 0)
	finish(t, p)
	if waiting[p.PID()] {
		t.Error("NoSpare used a spare")
	}

	must(t, mp.KeepSpares(1))
	mptest.Eventually(t, func() bool { return processes(t) == 1 }, "the second spare has ended")
	must(t, mp.KeepSpares(0))
	mptest.Eventually(t, func() bool { return processes(t) == 0 }, "both spares have ended")
}

// A spare that somebody kills is not used.
func TestDeadSpare(t *testing.T) {
	t.Cleanup(func() { must(t, mp.KeepSpares(0)) })
	must(t, mp.KeepSpares(1))
	mptest.Eventually(t, func() bool { return processes(t) == 1 }, "a spare waits")
	for pid := range childPIDs(t) {
		proc := get(os.FindProcess(pid))(t)
		must(t, proc.Kill())
	}
	mptest.Eventually(t, func() bool { return len(childPIDs(t)) == 0 }, "it is dead and reaped")
	for range 5 {
		finish(t, start(t, Nothing, mp.None{}))
	}
}

// A spare that was started with another standard output is not used.
func TestSpareKeepsToItsOutput(t *testing.T) {
	t.Cleanup(func() { must(t, mp.KeepSpares(0)) })
	must(t, mp.KeepSpares(3))
	mptest.Eventually(t, func() bool { return processes(t) == 3 }, "three spares wait")

	r, w, err := os.Pipe()
	must(t, err)
	old := os.Stdout
	os.Stdout = w
	// Starts that find the old ones replace some of them.
	var all []mp.Child
	for range 3 {
		all = append(all, start(t, Chatter, 10))
	}
	for _, p := range all {
		finish(t, p)
	}
	os.Stdout = old
	must(t, mp.KeepSpares(0)) // those that were started meanwhile hold the pipe
	must(t, w.Close())
	b := make([]byte, 100)
	n := 0
	for {
		m, err := r.Read(b[n:])
		n += m
		if err != nil {
			break
		}
	}
	must(t, r.Close())
	if n != 30 {
		t.Errorf("%d bytes came to the new standard output, want 30", n)
	}
}

// A killed starter takes its spares along: they hold nothing open.
func TestSparesInATask(t *testing.T) {
	for range 3 {
		finish(t, start(t, UseSpares, 2))
	}
	mptest.Eventually(t, func() bool { return processes(t) == 0 }, "no process is left")
}
