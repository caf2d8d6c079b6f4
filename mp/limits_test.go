//go:build linux

package mp_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"multiproc/mp"

	"golang.org/x/sys/unix"
)

// limited is a program that may not make large files, nor have much memory.
func limited() {
	mp.Init()
	ctx := context.Background()
	set := func(which int, n uint64) {
		if err := unix.Setrlimit(which, &unix.Rlimit{Cur: n, Max: n}); err != nil {
			fmt.Println(err)
		}
	}
	set(unix.RLIMIT_FSIZE, 1<<20)
	q, err := mp.NewQueue[string](0)
	if err == nil {
		err = q.Put(ctx, "x")
	}
	fmt.Println("queue:", err)
	_, _, err = mp.Pipe[string, int]()
	fmt.Println("pipe:", err)
	_, err = mp.NewQueue[string](0, mp.MaxBytes(1<<30))
	fmt.Println("large queue:", err)
	_, err = mp.NewArray[int64](1 << 20)
	fmt.Println("array:", err)
	set(unix.RLIMIT_DATA, 1<<30)
	p, err := Nothing.With(mp.StartOptions{MemoryLimit: 4 << 30}).Start(ctx, mp.None{})
	if err == nil {
		err = p.Wait(ctx)
	}
	fmt.Println("memory:", err)
	set(unix.RLIMIT_NOFILE, 3)
	_, err = Nothing.Start(ctx, mp.None{})
	fmt.Println("start:", err)
}

func TestLimitsOfTheProcess(t *testing.T) {
	out, stderr, _ := output(t, "limited")
	for _, want := range []string{
		"queue: <nil>", "pipe: <nil>", "large queue: new queue: ", "ulimit -f", "mp.MaxBytes", "array: new array: ",
		"memory: <nil>", "start: start ", "ulimit -n",
	} {
		_, rest, found := strings.Cut(out, want)
		if !found {
			t.Fatalf("%q is missing, or too early\n%s\n%s", want, out, stderr)
		}
		out = rest
	}
}
