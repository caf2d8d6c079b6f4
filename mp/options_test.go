//go:build linux

package mp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"multiproc/mp"

	"golang.org/x/sys/unix"
)

// Surroundings tells how a process was started.
var Surroundings = mp.Func(surroundings)

type around struct {
	Name, Dir, Env, Mark string
	Procs, Nice, CPUs    int
	Args                 []string
}

func surroundings(context.Context, mp.None) (around, error) {
	fmt.Print("out1 ")
	fmt.Fprint(os.Stderr, "err1 ")
	fmt.Print("out2")
	dir, err := os.Getwd()
	if err != nil {
		return around{}, err
	}
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return around{}, err
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return around{}, err
	}
	return around{
		Name: mp.Self().Name, Dir: dir, Env: os.Getenv("MP_TEST_ENV"), Mark: os.Getenv("MULTIPROC_CHILD"),
		Procs: runtime.GOMAXPROCS(0), Nice: 20 - nice, CPUs: set.Count(), Args: os.Args,
	}, nil
}

func TestOptions(t *testing.T) {
	var out, stderr bytes.Buffer
	dir := get(filepath.EvalSymlinks(t.TempDir()))(t)
	p := startWith(t, Surroundings, mp.StartOptions{
		Name: "with everything", Dir: dir, Env: append(os.Environ(), "MP_TEST_ENV=set"),
		Stdout: &out, Stderr: &stderr, MaxProcs: 3, Nice: 5, Affinity: []int{0},
	}, mp.None{})
	a := get(p.Result(t.Context()))(t)
	if a.Name != "with everything" || a.Dir != dir || a.Env != "set" || a.Procs != 3 || a.Nice != 5 || a.CPUs != 1 {
		t.Errorf("the child sees %+v", a)
	}
	if a.Mark != "" {
		t.Error("Init left its mark in the environment")
	}
	if strings.Join(a.Args, " ") != strings.Join(os.Args, " ") {
		t.Errorf("os.Args = %q", a.Args)
	}
	if out.String() != "out1 out2" || stderr.String() != "err1 " {
		t.Errorf("stdout %q, stderr %q", &out, &stderr)
	}

	both := new(bytes.Buffer)
	p = startWith(t, Surroundings, mp.StartOptions{Stdout: both, Stderr: both}, mp.None{})
	a = get(p.Result(t.Context()))(t)
	if both.String() != "out1 err1 out2" {
		t.Errorf("one writer for both gets %q", both)
	}
	if !strings.HasPrefix(a.Name, "surroundings-") || a.Name != p.Name() {
		t.Errorf("by default the process is called %q", a.Name)
	}
}

func TestOutputFile(t *testing.T) {
	f := get(os.Create(filepath.Join(t.TempDir(), "out")))(t)
	defer func() { must(t, f.Close()) }()
	finish(t, startWith(t, Surroundings, mp.StartOptions{Stdout: f, Stderr: new(bytes.Buffer)}, mp.None{}))
	if b := get(os.ReadFile(f.Name()))(t); string(b) != "out1 out2" {
		t.Errorf("the file holds %q", b)
	}
}

// refuses is a writer that fails after the first write.
type refuses struct{ n int }

func (w *refuses) Write(b []byte) (int, error) {
	w.n++
	return 0, errors.New("no more room")
}

// A writer that fails does not block the child.
func TestOutputRefused(t *testing.T) {
	finish(t, startWith(t, Chatter, mp.StartOptions{Stdout: &refuses{}}, 1<<20))
	var b bytes.Buffer
	finish(t, startWith(t, Chatter, mp.StartOptions{Stdout: &b}, 1<<20))
	if b.Len() != 1<<20 {
		t.Errorf("%d bytes arrived", b.Len())
	}
}

// Chatter prints so many bytes.
var Chatter = mp.Proc(chatter)

func chatter(_ context.Context, n int) error {
	_, err := os.Stdout.Write(make([]byte, n))
	return err
}

func TestOptionsThatCannotBe(t *testing.T) {
	_, send := oneWay[int](t)
	for name, o := range map[string]mp.StartOptions{
		"directory": {Dir: "/there/is/no/such/directory"},
		"nice":      {Affinity: []int{1 << 20}},
		"processor": {Affinity: []int{-1}},
	} {
		if p, err := TakeConn.With(o).Start(t.Context(), send); err == nil {
			t.Errorf("%s: a process was started: %v", name, p.Wait(t.Context()))
		}
	}
	must(t, send.Send(t.Context(), 1)) // it has not moved
	if n := len(mp.Children()); n != 0 {
		t.Errorf("%d children", n)
	}
}

func TestMemoryLimit(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's own memory is above any limit")
	}
	var stderr bytes.Buffer
	p := startWith(t, Allocate, mp.StartOptions{MemoryLimit: 64 << 20, Stderr: &stderr}, 8<<30)
	err := p.Wait(t.Context())
	var exit *mp.ExitError
	if !errors.As(err, &exit) || exit.State.ExitCode != 2 || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("got %v\nstderr %.200s", err, &stderr)
	}
	if n := get(Allocate.Run(t.Context(), 100<<20))(t); n != 100<<20 {
		t.Errorf("without a limit %d bytes", n)
	}
}

// Allocate takes memory, a piece at a time, and returns how much it got.
var Allocate = mp.Func(allocate)

func allocate(_ context.Context, n int) (int, error) {
	var pieces [][]byte
	got := 0
	for got < n {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = 1
		}
		pieces = append(pieces, b)
		got += len(b)
	}
	runtime.KeepAlive(pieces)
	return got, nil
}
