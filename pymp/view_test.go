package pymp_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"multiproc/mp"
	"multiproc/pymp"
)

// nameForTest is a name for shared memory that package mptest knows to be of this
// process's tests.
func nameForTest(t *testing.T) string {
	return fmt.Sprintf("mptest.%d.%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "."))
}

// sharedMemory makes some that is gone with the test.
func sharedMemory(t *testing.T, size int) *pymp.SharedMemory {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs POSIX shared memory")
	}
	m, err := pymp.CreateSharedMemory(nameForTest(t), size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(m.Unlink(), m.Close()); err != nil {
			t.Error(err)
		}
	})
	return m
}

type pixel struct {
	X, Y float32
	tag  [3]uint8
	ok   bool
}

func TestView(t *testing.T) {
	m := sharedMemory(t, 100)
	a, err := pymp.View[int32](m, 4, 3)
	if err != nil {
		t.Fatal(err)
	}
	copy(a, []int32{1, -1, 1 << 30})
	if b, err := pymp.View[int32](m, 4, 3); err != nil || !slices.Equal(a, b) || cap(b) != 3 {
		t.Errorf("another view has %v, %v", b, err)
	}
	if got := *(*int32)(unsafe.Pointer(&m.Bytes()[8])); got != -1 {
		t.Errorf("the bytes are %d", got)
	}
	ps, err := pymp.View[pixel](m, 0, 8)
	if err != nil {
		t.Fatal(err)
	}
	ps[7] = pixel{1, 2, [3]uint8{3}, true}
	for _, n := range []int{0, 100} {
		if s, err := pymp.View[byte](m, 100-n, n); err != nil || len(s) != n || s == nil {
			t.Errorf("%d bytes: %d, %v", n, len(s), err)
		}
	}
}

func TestViewRefuses(t *testing.T) {
	m := sharedMemory(t, 100)
	const most = int(^uint(0) >> 1)
	for _, c := range []struct{ offset, n int }{
		{-8, 1}, {0, -1}, {0, 13}, {96, 1}, {104, 0}, {most - 7, 1}, {8, most}, {8, most / 4}, {4, 1},
	} {
		if _, err := pymp.View[float64](m, c.offset, c.n); !errors.Is(err, mp.ErrValue) {
			t.Errorf("%d at %d: %v", c.n, c.offset, err)
		}
	}
	for name, f := range map[string]func() error{
		"string":   func() error { _, err := pymp.View[string](m, 0, 1); return err },
		"any":      func() error { _, err := pymp.View[any](m, 0, 1); return err },
		"*int":     func() error { _, err := pymp.View[*int](m, 0, 1); return err },
		"pointers": func() error { _, err := pymp.View[[2]struct{ P []byte }](m, 0, 1); return err },
		"uintptr":  func() error { _, err := pymp.View[uintptr](m, 0, 1); return err },
		"nothing":  func() error { _, err := pymp.View[struct{}](m, 0, 1); return err },
		"no array": func() error { _, err := pymp.View[[0]int](m, 0, 1); return err },
	} {
		if err := f(); !errors.Is(err, mp.ErrType) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var zero pymp.SharedMemory
	if _, err := pymp.View[byte](&zero, 0, 0); !errors.Is(err, mp.ErrClosed) {
		t.Errorf("of closed memory: %v", err)
	}
}
