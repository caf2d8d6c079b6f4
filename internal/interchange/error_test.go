package interchange_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"testing"

	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

var errSold = errors.New("sold out")

func init() { mperr.Register("interchange_test.errSold", errSold) }

// An error arrives with its text and the registered errors in its tree, and is
// an exception of the nearest class for Python.
func TestErrorsTravel(t *testing.T) {
	type report struct {
		Err  error
		Errs []error
		By   map[string]error
	}
	for _, tt := range []struct {
		err   error
		class string
		is    []error
	}{
		{errors.New("plain"), "builtins.RuntimeError", nil},
		{fmt.Errorf("seat 7: %w", errSold), "builtins.RuntimeError", []error{errSold}},
		{io.EOF, "builtins.EOFError", []error{io.EOF}},
		{fmt.Errorf("read: %w", io.EOF), "builtins.EOFError", []error{io.EOF}},
		{fmt.Errorf("open x: %w", syscall.ENOENT), "builtins.FileNotFoundError", []error{fs.ErrNotExist, syscall.ENOENT}},
		{context.DeadlineExceeded, "builtins.TimeoutError", []error{context.DeadlineExceeded}},
		{errors.Join(mperr.ErrNoKey, errSold), "builtins.KeyError", []error{mperr.ErrNoKey, errSold}},
	} {
		got := travel(t, report{tt.err, []error{nil, tt.err}, map[string]error{"a": tt.err, "b": nil}}, nil)
		if got.Errs[0] != nil || got.By["b"] != nil {
			t.Errorf("nil arrived as %v, %v", got.Errs[0], got.By["b"])
		}
		for _, err := range []error{got.Err, got.Errs[1], got.By["a"]} {
			if err == nil || err.Error() != tt.err.Error() {
				t.Errorf("%v arrived as %v", tt.err, err)
				continue
			}
			for _, is := range tt.is {
				if !errors.Is(err, is) {
					t.Errorf("%v arrived without %v", tt.err, is)
				}
			}
			if errors.Is(err, mperr.ErrFull) {
				t.Errorf("%v arrived as a queue that is full", tt.err)
			}
		}
		b, err := interchange.AppendValue(nil, tt.err)
		if err != nil {
			t.Fatal(err)
		}
		v, err := interchange.ParseValue(b)
		if err != nil {
			t.Fatal(err)
		}
		if x, ok := pyvalue.AsException(v); !ok || x.Class.String() != tt.class {
			t.Errorf("%v in an any is %#v, want the class %s", tt.err, v, tt.class)
		}
	}
}
