package mperr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
)

var errMine = errors.New("mine")

func TestNamesAndBack(t *testing.T) {
	Register("mperr.mine", errMine)
	Register("mperr.mine", errMine) // twice the same is no disagreement
	err := fmt.Errorf("a: %w", errors.Join(fmt.Errorf("b: %w", errMine), io.EOF, errors.New("unregistered"), ErrFull))
	names := Names(err)
	slices.Sort(names)
	if want := []string{"io.EOF", "mp.ErrFull", "mperr.mine"}; !slices.Equal(names, want) {
		t.Errorf("names %v, want %v", names, want)
	}
	back := Sentinels(append(names, "another.program's"))
	if len(back) != 3 || !slices.Contains(back, errMine) || !slices.Contains(back, error(io.EOF)) || !slices.Contains(back, ErrFull) {
		t.Errorf("came back as %v", back)
	}
	if Names(nil) != nil || Names(errors.New("x")) != nil || Sentinels(nil) != nil {
		t.Error("names out of nothing")
	}
	if names := Names(context.DeadlineExceeded); !slices.Contains(names, "context.DeadlineExceeded") {
		t.Error(names)
	}
}

// Every exported sentinel travels.
func TestSentinelsAreRegistered(t *testing.T) {
	for name, err := range map[string]error{
		"mp.ErrFull": ErrFull, "mp.ErrEmpty": ErrEmpty, "mp.ErrClosed": ErrClosed, "mp.ErrTooLarge": ErrTooLarge,
		"mp.ErrCorrupt": ErrCorrupt, "mp.ErrForeign": ErrForeign, "mp.ErrType": ErrType, "mp.ErrOrphaned": ErrOrphaned, "mp.ErrTerminated": ErrTerminated,
		"mp.ErrDirection": ErrDirection, "mp.ErrNoInit": ErrNoInit, "mp.ErrTaskDone": ErrTaskDone,
		"mp.ErrNoHandle": ErrNoHandle, "mp.ErrBrokenPipe": ErrBrokenPipe,
	} {
		if got := Sentinels([]string{name}); len(got) != 1 || got[0] != err {
			t.Errorf("%s is %v", name, got)
		}
	}
}

func TestRegisterRefuses(t *testing.T) {
	for name, f := range map[string]func(){
		"no name":  func() { Register("", errMine) },
		"no error": func() { Register("mperr.nil", nil) },
		"taken":    func() { Register("io.EOF", errMine) },
	} {
		func() {
			defer func() {
				if s := fmt.Sprint(recover()); !strings.HasPrefix(s, "mp.RegisterError") {
					t.Errorf("%s: %s", name, s)
				}
			}()
			f()
		}()
	}
	if s := Sentinels([]string{"io.EOF"}); s[0] != error(io.EOF) {
		t.Error("a refused registration changed the name")
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&OwnerDiedError{Object: "mutex", PID: 7}, "mutex: process 7 died, ended or panicked while it held the lock; the contents may be half changed until Repair succeeds"},
		{&OwnerDiedError{Object: "array"}, "array: a process died, ended or panicked while it held the lock; the contents may be half changed until Repair succeeds"},
		{&UnsupportedError{Facility: "futex", Platform: "plan9/386"}, "multiproc: futex is not available on plan9/386; linux/amd64 and linux/arm64 are supported"},
	} {
		if c.err.Error() != c.want {
			t.Errorf("%q, want %q", c.err, c.want)
		}
	}
	if !errors.Is(&UnsupportedError{}, errors.ErrUnsupported) {
		t.Error("UnsupportedError is not errors.ErrUnsupported")
	}
}

// Errors that carry a value keep it across processes.
func TestErrorsWithValues(t *testing.T) {
	sent := fmt.Errorf("open it: %w, and %w", syscall.ENOSPC, &OwnerDiedError{Object: "array", PID: 17})
	got := errors.Join(Sentinels(Names(sent))...)
	if !errors.Is(got, syscall.ENOSPC) {
		t.Errorf("ENOSPC arrived as %v", got)
	}
	var died *OwnerDiedError
	if !errors.As(got, &died) || *died != (OwnerDiedError{Object: "array", PID: 17}) {
		t.Errorf("OwnerDiedError arrived as %v", got)
	}
	for _, name := range []string{"errno:", "errno:-1", "errno:99999999999", "errno:x", "died:", "died:x:array"} {
		if got := Sentinels([]string{name}); got != nil {
			t.Errorf("%q became %v", name, got)
		}
	}
}
