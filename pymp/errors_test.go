package pymp_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/pymp"
)

func TestExceptions(t *testing.T) {
	errSoldOut := errors.New("sold out")
	pymp.RegisterException("__main__.SoldOut", errSoldOut)
	pyconntest.Each(t, func(t *testing.T, python string) {
		c := create(t, dial(t, python), "Counter")
		for _, x := range []struct {
			args    []any
			class   string
			message string
			is      error
		}{
			{[]any{"KeyError", "k"}, "builtins.KeyError", "'k'", mperr.ErrNoKey},
			{[]any{"IndexError", "too far"}, "builtins.IndexError", "too far", mperr.ErrIndex},
			{[]any{"ValueError", "no"}, "builtins.ValueError", "no", mperr.ErrValue},
			{[]any{"TypeError", 1, 2}, "builtins.TypeError", "(1, 2)", mperr.ErrType},
			{[]any{"TimeoutError"}, "builtins.TimeoutError", "", context.DeadlineExceeded},
			{[]any{"EOFError"}, "builtins.EOFError", "", io.EOF},
			{[]any{"OSError", 2, "No such file", "x"}, "builtins.FileNotFoundError", "[Errno 2] No such file", fs.ErrNotExist},
			{[]any{"OSError", 2, "No such file", "x", nil, "y"}, "builtins.FileNotFoundError", "[Errno 2] No such file: 'x' -> 'y'", fs.ErrNotExist},
			{[]any{"SoldOut", "seat", 7}, "__main__.SoldOut", "('seat', 7)", errSoldOut},
			{[]any{"ZeroDivisionError", "division by zero"}, "builtins.ZeroDivisionError", "division by zero", nil},
		} {
			err := c.Call(t.Context(), "raises", x.args...)
			var e *pymp.Error
			if !errors.As(err, &e) {
				t.Errorf("%v: %v", x.args, err)
				continue
			}
			if e.Class != x.class || !strings.HasPrefix(e.Message, x.message) || x.is != nil && !errors.Is(err, x.is) || x.is == nil && e.Unwrap() != nil {
				t.Errorf("%v arrived as %#v", x.args, e)
			}
			if e.Method != "raises" || e.Typeid != "Counter" || len(e.Args) == 0 && len(x.args) > 1 || !strings.Contains(err.Error(), "Counter.raises") {
				t.Errorf("%v: %v", x.args, err)
			}
		}

		q := create(t, c.Manager(), "Queue", 1)
		if err := q.Call(t.Context(), "get_nowait"); !errors.Is(err, mperr.ErrEmpty) {
			t.Errorf("get from an empty queue: %v", err)
		}
		if err := q.Call(t.Context(), "put", 1); err != nil {
			t.Error(err)
		}
		if err := q.Call(t.Context(), "put", 1, pymp.Kwargs{"timeout": 0.01}); !errors.Is(err, mperr.ErrFull) {
			t.Errorf("put into a full queue: %v", err)
		}
		n := create(t, c.Manager(), "Namespace")
		if err := n.Call(t.Context(), "__getattribute__", "zz"); !errors.Is(err, mperr.ErrNoKey) {
			t.Errorf("an attribute that is not there: %v", err)
		}

		var r *pymp.RemoteError
		err := c.Call(t.Context(), "unpicklable")
		if !errors.As(err, &r) || !r.Unserializable || r.Traceback == "" || !strings.Contains(err.Error(), "cannot be pickled") {
			t.Errorf("a result that cannot be pickled: %v", err)
		}
		err = c.Call(t.Context(), "evil")
		if !errors.As(err, &r) || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(r.Traceback, "Traceback") {
			t.Errorf("a method that is not there: %v", err)
		}
		_, err = c.Manager().Create(t.Context(), "Broken", "first line\nlast: line")
		if !errors.As(err, &r) || r.Class != "ValueError" || !errors.Is(err, mperr.ErrValue) || !strings.HasSuffix(err.Error(), "ValueError: first line\nlast: line") {
			t.Errorf("a message of two lines: %v (class %q)", err, r.Class)
		}
		_, err = c.Manager().Create(t.Context(), "Broken")
		if !errors.As(err, &r) || r.Class != "TypeError" || !errors.Is(err, mperr.ErrType) {
			t.Errorf("a type that cannot be made: %v (class %q)", err, r.Class)
		}
		other := create(t, c.Manager(), "list")
		same, err := c.Manager().Attach(t.Context(), "list", other.ID())
		if err != nil {
			t.Fatal(err)
		}
		closeAll(t, other, same)
		if _, err := c.Manager().Attach(t.Context(), "list", other.ID()); !errors.Is(err, mperr.ErrNoHandle) || !errors.As(err, &r) || r.Class != "KeyError" {
			t.Errorf("an object that is gone: %v", err)
		}
	})
}
