//go:build linux

package mp_test

import (
	"bytes"
	"context"
	"errors"
	"log"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"multiproc/mp"
)

// Crashes that the task's own goroutine cannot answer for, and ones that it
// can.
func TestEnds(t *testing.T) {
	for _, tt := range []struct {
		how    string
		code   int
		signal syscall.Signal
		crash  string
	}{
		{"exit 0", 0, 0, ""},
		{"exit 8", 8, 0, ""},
		{"log.Fatal", 1, 0, ""},
		{"goroutine panics", 2, 0, "panic: over there"},
		{"goroutine faults", 2, 0, "[signal SIGSEGV"},
		{"fatal error", 2, 0, "unlock of unlocked sync.Mutex"},
		{"sent SIGSEGV", 2, 0, "SIGSEGV"},
		{"killed", -1, syscall.SIGKILL, ""},
	} {
		p := startWith(t, End, mp.StartOptions{Stderr: new(bytes.Buffer)}, tt.how)
		err := p.Wait(t.Context())
		var exit *mp.ExitError
		if !errors.As(err, &exit) {
			t.Errorf("%s: got %T %v, want an *ExitError", tt.how, err, err)
			continue
		}
		if exit.State.ExitCode != tt.code || exit.State.Signal != tt.signal || exit.PID != p.PID() || exit.Task != End.Name() {
			t.Errorf("%s: %v", tt.how, err)
		}
		if (tt.crash != "") != strings.Contains(exit.Crash, "mp_test.end") {
			t.Errorf("%s: crash report %.200q", tt.how, exit.Crash)
		}
		if !strings.Contains(err.Error(), strings.Trim(tt.crash, "[")) {
			t.Errorf("%s: %q does not name the crash", tt.how, err)
		}
	}
}

// End ends its process in the way it is told.
var End = mp.Proc(end)

func end(_ context.Context, how string) error {
	never := make(chan int)
	switch how {
	case "exit 0":
		os.Exit(0)
	case "exit 8":
		os.Exit(8)
	case "log.Fatal":
		log.Fatal("this is fatal")
	case "goroutine panics":
		go func() { panic("over there") }()
		<-never
	case "goroutine faults":
		go func() { *(*int)(fault()) = 1 }()
		<-never
	case "fatal error": // which cannot be recovered
		new(sync.Mutex).Unlock()
	case "sent SIGSEGV":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		<-never
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		<-never
	case "Goexit":
		runtime.Goexit()
	case "panic":
		panic("a string")
	case "panic error":
		panic(errMine)
	case "panic nil":
		panic(nil)
	case "nil pointer":
		var p *int
		*p = 1
	}
	return errors.New("no such end")
}

// fault is an address that is in no mapping.
func fault() unsafe.Pointer {
	addr := uintptr(0x7000_0000_0001_0000)
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}

func TestPanics(t *testing.T) {
	for _, tt := range []struct {
		how, message string
		is           error
	}{
		{"panic", "a string", nil},
		{"panic error", errMine.Error(), errMine},
		{"panic nil", "panic called with nil argument", nil},
		{"nil pointer", "runtime error: invalid memory address or nil pointer dereference", nil},
		{"Goexit", "runtime.Goexit was called", nil},
	} {
		p := start(t, End, tt.how)
		err := p.Wait(t.Context())
		var remote *mp.RemoteError
		if !errors.As(err, &remote) {
			t.Errorf("%s: got %T %v, want a *RemoteError", tt.how, err, err)
			continue
		}
		if !remote.Panic || !strings.HasPrefix(remote.Message, tt.message) || remote.PID != p.PID() || remote.Task != End.Name() {
			t.Errorf("%s: %+v", tt.how, remote)
		}
		if !strings.Contains(remote.Stack, "mp_test.end(") {
			t.Errorf("%s: the stack does not show where:\n%s", tt.how, remote.Stack)
		}
		if tt.is != nil {
			wantErr(t, tt.how, err, tt.is)
		}
		if code := p.State().ExitCode; code != 2 {
			t.Errorf("%s: exit code %d, want a panicking program's 2", tt.how, code)
		}
	}
}
