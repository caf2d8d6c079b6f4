//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"multiproc/mp"
)

// forgetful is a program that makes more objects than a process can have mapped,
// and closes none.
func forgetful() {
	mp.Init()
	for _, kind := range kinds {
		n := 500
		if kind.name == "queue" {
			n = 20_000
		}
		for i := range n {
			if _, err := kind.make(); err != nil {
				fmt.Println(kind.name, i, err)
				return
			}
		}
	}
	// What is used stays, also if nobody but a call, or a slice, uses it.
	kept := func() error {
		a, err := mp.NewRawArray[int](1000)
		if err != nil {
			return err
		}
		s := a.Elements()
		m, err := mp.NewMutex()
		if err == nil {
			err = m.Lock(context.Background())
		}
		for range 3 {
			runtime.GC()
		}
		s[999] = 7
		return err
	}
	if err := kept(); err != nil {
		fmt.Println(err)
	}
	for range 3 {
		runtime.GC()
	}
	fmt.Println("well")
}

func TestForgottenHandlesAreUnmapped(t *testing.T) {
	if out, stderr, _ := output(t, "forgetful"); out != "well\n" {
		t.Errorf("%s\n%.2000s", out, stderr)
	}
}

// crowded is a program that uses up the areas of memory that a process may have.
func crowded() {
	mp.Init()
	fmt.Println(func() error {
		var all []*mp.Queue[int]
		for {
			q, err := mp.NewQueue[int](1)
			if err == nil {
				all = append(all, q)
				err = q.TryPut(context.Background(), 1)
			}
			if err == nil {
				continue
			}
			if !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), "vm.max_map_count") || len(all) < 5000 {
				return fmt.Errorf("after %d queues: %w", len(all), err)
			}
			break
		}
		// The process goes on: heap, threads, children.
		var heap [][]byte
		for range 64 {
			heap = append(heap, make([]byte, 4<<20))
		}
		for i := range heap {
			heap[i][len(heap[i])/2] = 1
		}
		if _, err := Nothing.Run(context.Background(), mp.None{}); err != nil {
			return err
		}
		for _, q := range all {
			if err := q.Close(); err != nil {
				return err
			}
		}
		q, err := mp.NewQueue[int](1)
		if err != nil {
			return err
		}
		runtime.KeepAlive(heap)
		return q.Close()
	}())
}

func TestTooManyLiveHandles(t *testing.T) {
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Max < 18_000 {
		t.Skip("needs 18 000 descriptors")
	}
	if out, stderr, _ := output(t, "crowded"); out != "<nil>\n" {
		t.Errorf("%s\n%.2000s", out, stderr)
	}
}
