//go:build interop

package interop

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"syscall"
	"testing"
	"time"

	"multiproc/manager"
	"multiproc/mptest"
)

// The test binary plays its own children, and the server that strangers come
// to.
func TestMain(m *testing.M) {
	if address := os.Getenv(serverEnv); address != "" {
		if err := serve(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if address := os.Getenv(farGoEnv); address != "" {
		if err := runFarClient(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if name := os.Getenv(attackEnv); name != "" {
		if name == "victim" {
			runVictim()
		} else {
			runAttack(name)
		}
		os.Exit(0)
	}
	mptest.Main(m)
}

const (
	serverEnv = "INTEROP_SERVER" // where to listen
	bytesEnv  = "INTEROP_BYTES"  // Limits.Bytes
	spaceEnv  = "INTEROP_SPACE"  // RLIMIT_AS
	handEnv   = "INTEROP_HANDSHAKE"
)

// Probe tells what a server uses.
type Probe struct{}

// Goroutines is how many there are.
func (*Probe) Goroutines() int { return runtime.NumGoroutine() }

// InSystemCalls is how many goroutines hold a thread in a system call.
func (*Probe) InSystemCalls() int {
	s := []metrics.Sample{{Name: "/sched/goroutines/not-in-go:goroutines"}}
	metrics.Read(s)
	return int(s[0].Value.Uint64())
}

// Heap is how many bytes are in use when all garbage is gone.
func (*Probe) Heap() int {
	runtime.GC()
	runtime.GC() // what had a finalizer
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// serve is a manager in a process of its own, until its standard input ends.
func serve(address string) error {
	manager.Register("Probe", func() *Probe { return &Probe{} })
	l, err := manager.Listen(address)
	if err != nil {
		return err
	}
	var o manager.Options
	o.Limits.Bytes, _ = strconv.ParseInt(os.Getenv(bytesEnv), 10, 64)
	if o.Limits.Bytes > 0 {
		manager.LimitMemory(o.Limits)
	}
	if most, _ := strconv.ParseUint(os.Getenv(spaceEnv), 10, 64); most > 0 {
		// An attack that succeeds must not take the machine.
		if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			return err
		}
	}
	o.Limits.Handshake, _ = time.ParseDuration(os.Getenv(handEnv))
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Println(manager.AddressOf(l))
	return manager.Serve(ctx, l, o)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// closing closes a handle at the end of the test.
func closing[C io.Closer](t testing.TB, c C, err error) C {
	t.Helper()
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}
