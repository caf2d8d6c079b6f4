package manager

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/mp"
)

// tally is a registered type.
type tally struct {
	m map[string]int
}

var errSoldOut = errors.New("sold out")

type stockOf struct {
	Name  string
	Count int
}

func init() {
	mp.RegisterError("manager.errSoldOut", errSoldOut)
	Register("test.Tally", func(start int) (*tally, error) {
		if start < 0 {
			return nil, fmt.Errorf("start %d: %w", start, mperr.ErrValue)
		}
		return &tally{map[string]int{"start": start}}, nil
	})
}

func (s *tally) Add(name string, n int) (int, error) {
	if s.m[name]+n < 0 {
		return 0, fmt.Errorf("%d of %s: %w", -n, name, errSoldOut)
	}
	s.m[name] += n
	return s.m[name], nil
}

func (s *tally) Most() (string, int) { return "start", s.m["start"] }

func (s *tally) Each() iter.Seq[string] { return slices.Values([]string{"a", "b", "c"}) }

func (s *tally) Wait(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestObjects(t *testing.T) {
	s := serveTest(t)
	m := dialTest(t, s)
	ctx := t.Context()
	o, err := New(ctx, m, "test.Tally", 5)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := Call[int](ctx, o, "Add", "start", 2); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if p, err := Call[stockOf](ctx, o, "Most"); p != (stockOf{"start", 7}) || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := Call[mp.None](ctx, o, "add", "apples", 1); err != nil {
		t.Error(err)
	}
	if v, err := Call[any](ctx, o, "Add", "apples", 0); v != 1 && v != int64(1) || err != nil {
		t.Errorf("%T %v, %v", v, v, err)
	}
	if o.Type() != "test.Tally" || !strings.HasPrefix(o.String(), "test.Tally ") {
		t.Errorf("%s %v", o.Type(), o)
	}
	if n, err := m.Objects(ctx); n != 1 || err != nil {
		t.Errorf("%d objects, %v", n, err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	if n, err := m.Objects(ctx); n != 0 || err != nil {
		t.Errorf("%d objects, %v", n, err)
	}
}

func TestObjectErrors(t *testing.T) {
	s := serveTest(t)
	m := dialTest(t, s)
	ctx := t.Context()
	o, err := New(ctx, m, "test.Tally", 5)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Call[int](ctx, o, "Add", "start", -6)
	var e *Error
	if !errors.Is(err, errSoldOut) || !errors.As(err, &e) || !strings.Contains(err.Error(), ".Add: 6 of start: sold out") {
		t.Errorf("%v", err)
	}
	_, err = New(ctx, m, "test.Tally", -1)
	wantIs(t, "a constructor that fails", err, mperr.ErrValue)
	if _, err := New(ctx, m, "test.Nobody"); err == nil {
		t.Error("a type that is unknown was made")
	}
	if _, err := Call[int](ctx, o, "Nothing"); err == nil {
		t.Error("a method that is unknown was called")
	}
	if _, err := Call[int](ctx, o, "Add", make(chan int)); err == nil || !strings.Contains(err.Error(), "argument 1") {
		t.Errorf("a channel as argument: %v", err)
	}
	_, err = Call[int](ctx, o, "Add", "start")
	if !errors.As(err, &e) || e.Class != "builtins.TypeError" || errors.Is(err, mperr.ErrType) || !strings.Contains(err.Error(), ".Add: Add() takes 2") {
		t.Errorf("an argument is missing: %v", err)
	}
	if _, err := Call[string](ctx, o, "Add", "start", 1); err == nil || !strings.Contains(err.Error(), "was called") {
		t.Errorf("a number as a string: %v", err)
	}
	_, err = Call[int](ctx, nil, "Add")
	wantIs(t, "no object", err, mperr.ErrNoHandle)
	_, err = Call[int](ctx, &Object{}, "Add")
	wantIs(t, "a zero object", err, mperr.ErrNoHandle)
	soon, cancel := context.WithCancel(ctx)
	go cancel()
	_, err = Call[mp.None](soon, o, "Wait")
	wantIs(t, "a method that waits for its context", err, context.Canceled)
}

// Objects come as results and go as arguments.
func TestObjectsInValues(t *testing.T) {
	s := serveTest(t)
	m := dialTest(t, s)
	ctx := t.Context()
	o, err := New(ctx, m, "test.Tally", 5)
	if err != nil {
		t.Fatal(err)
	}
	it, err := Call[*Object](ctx, o, "Each")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for v, err := range Iterate[string](ctx, it) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	if !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%v", got)
	}
	d, err := mp.NewDict[string, any](mp.In(m))
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(ctx, m, "list", []any{o, d})
	if err != nil {
		t.Fatal(err)
	}
	back, err := Call[*Object](ctx, l, "__getitem__", 0)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := Call[int](ctx, back, "Add", "start", 1); n != 6 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	same, err := Call[*mp.Dict[string, any]](ctx, l, "__getitem__", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := same.Set(ctx, "k", "v"); err != nil {
		t.Error(err)
	}
	if v, err := d.Get(ctx, "k"); v != "v" || err != nil {
		t.Errorf("%v, %v", v, err)
	}
}
