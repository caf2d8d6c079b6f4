package mperr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// An error crosses a process boundary as its text plus the names of the
// registered sentinels that it wraps. On arrival the names become the same
// sentinel values again, so that errors.Is answers alike on both sides.
// Nothing else of an error crosses, but for the types at the end of this file:
// no other type is rebuilt from the wire.

var names = struct {
	sync.RWMutex
	byName map[string]error
}{byName: map[string]error{}}

func init() {
	for name, err := range map[string]error{
		"context.Canceled":         context.Canceled,
		"context.DeadlineExceeded": context.DeadlineExceeded,
		"io.EOF":                   io.EOF,
		"io.ErrUnexpectedEOF":      io.ErrUnexpectedEOF,
		"io.ErrClosedPipe":         io.ErrClosedPipe,
		"fs.ErrInvalid":            fs.ErrInvalid,
		"fs.ErrPermission":         fs.ErrPermission,
		"fs.ErrExist":              fs.ErrExist,
		"fs.ErrNotExist":           fs.ErrNotExist,
		"fs.ErrClosed":             fs.ErrClosed,
		"os.ErrProcessDone":        os.ErrProcessDone,
		"os.ErrDeadlineExceeded":   os.ErrDeadlineExceeded,
		"errors.ErrUnsupported":    errors.ErrUnsupported,
		"mp.ErrFull":               ErrFull,
		"mp.ErrEmpty":              ErrEmpty,
		"mp.ErrClosed":             ErrClosed,
		"mp.ErrTooLarge":           ErrTooLarge,
		"mp.ErrCorrupt":            ErrCorrupt,
		"mp.ErrForeign":            ErrForeign,
		"mp.ErrType":               ErrType,
		"mp.ErrOrphaned":           ErrOrphaned,
		"mp.ErrTerminated":         ErrTerminated,
		"mp.ErrDirection":          ErrDirection,
		"mp.ErrNoInit":             ErrNoInit,
		"mp.ErrTaskDone":           ErrTaskDone,
		"mp.ErrNoHandle":           ErrNoHandle,
		"mp.ErrBrokenPipe":         ErrBrokenPipe,
		"mp.ErrNoKey":              ErrNoKey,
		"mp.ErrIndex":              ErrIndex,
		"mp.ErrNoValue":            ErrNoValue,
		"mp.ErrValue":              ErrValue,
		"mp.ErrNotHeld":            ErrNotHeld,
		"mp.ErrOverrun":            ErrOverrun,
		"mp.ErrLimit":              ErrLimit,
		"mp.ErrAuth":               ErrAuth,
		"mp.ErrBroken":             ErrBroken,
		"mp.ErrUnknownFate":        ErrUnknownFate,
		"mp.ErrLeaseLost":          ErrLeaseLost,
	} {
		names.byName[name] = err
	}
}

// Register gives err a name under which it travels. It panics if the name is
// taken by another error: two parts of a program that disagree about a name must
// hear of it at start-up.
func Register(name string, err error) {
	if name == "" || err == nil {
		panic("mp.RegisterError: name and error must be given")
	}
	names.Lock()
	defer names.Unlock()
	if old, ok := names.byName[name]; ok {
		if errors.Is(old, err) && errors.Is(err, old) {
			return
		}
		panic(fmt.Sprintf("mp.RegisterError: %q already names the error %q", name, old))
	}
	names.byName[name] = err
}

// Names returns the names of all registered sentinels in err's tree.
func Names(err error) []string {
	if err == nil {
		return nil
	}
	names.RLock()
	defer names.RUnlock()
	var out []string
	for name, sentinel := range names.byName {
		if errors.Is(err, sentinel) {
			out = append(out, name)
		}
	}
	return append(out, valueNames(err)...)
}

// Sentinels returns the errors behind the names that this process knows;
// unknown names are skipped, for they can only come from another program.
func Sentinels(list []string) []error {
	names.RLock()
	defer names.RUnlock()
	var out []error
	for _, name := range list {
		if err, ok := names.byName[name]; ok {
			out = append(out, err)
		} else if err := valued(name); err != nil {
			out = append(out, err)
		}
	}
	return out
}

// Some types of errors travel with their value, which is part of the name: a
// system call's error by its number, between processes of one machine, an
// OwnerDiedError, and those of RegisterType.
const (
	errnoPrefix = "errno:"
	diedPrefix  = "died:"
	typePrefix  = "type:"
)

// Type says how the errors of a type travel.
type Type struct {
	Find func(err error) (value []byte, ok bool) // in err's tree
	Make func(value []byte) (error, error)
}

var types = struct {
	sync.RWMutex
	byName map[string]Type
}{byName: map[string]Type{}}

// RegisterType lets errors of a type travel whole. It panics if the name is
// taken, or has a colon in it.
func RegisterType(name string, t Type) {
	types.Lock()
	defer types.Unlock()
	if _, ok := types.byName[name]; ok || name == "" || strings.Contains(name, ":") {
		panic(fmt.Sprintf("mp.RegisterErrorType: the name %q is taken, empty or has a colon in it", name))
	}
	types.byName[name] = t
}

func valueNames(err error) (out []string) {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		out = append(out, errnoPrefix+strconv.FormatUint(uint64(errno), 10))
	}
	var died *OwnerDiedError
	if errors.As(err, &died) {
		out = append(out, diedPrefix+strconv.Itoa(died.PID)+":"+died.Object)
	}
	types.RLock()
	defer types.RUnlock()
	for name, t := range types.byName {
		if value, ok := t.Find(err); ok {
			out = append(out, typePrefix+name+":"+string(value))
		}
	}
	return out
}

// valued is the error behind such a name, nil if it is none.
func valued(name string) error {
	if text, ok := strings.CutPrefix(name, errnoPrefix); ok {
		if n, err := strconv.ParseUint(text, 10, 32); err == nil {
			return syscall.Errno(n)
		}
	}
	if text, ok := strings.CutPrefix(name, diedPrefix); ok {
		pid, object, _ := strings.Cut(text, ":")
		if n, err := strconv.Atoi(pid); err == nil {
			return &OwnerDiedError{Object: object, PID: n}
		}
	}
	if text, ok := strings.CutPrefix(name, typePrefix); ok {
		name, value, _ := strings.Cut(text, ":")
		types.RLock()
		t, ok := types.byName[name]
		types.RUnlock()
		if ok {
			if made, err := t.Make([]byte(value)); err == nil {
				return made
			}
		}
	}
	return nil
}
