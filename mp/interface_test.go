//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"multiproc/mp"
)

type (
	figure interface{ Area() float64 }
	tile   struct{ Side float64 }
	disc   struct{ R float64 }
	sketch struct {
		Figures []figure
		Err     error
	}
)

func (s tile) Area() float64  { return s.Side * s.Side }
func (d *disc) Area() float64 { return 3 * d.R * d.R }

var errFlat = errors.New("flat")

func init() {
	mp.RegisterType[tile]()
	mp.RegisterType[*disc]() // a pointer names what it points to
	mp.RegisterError("mp_test.errFlat", errFlat)
}

func addUp(_ context.Context, s sketch) (sketch, error) {
	sum := 0.0
	for _, f := range s.Figures {
		sum += f.Area()
	}
	return sketch{[]figure{tile{sum}}, fmt.Errorf("%w, and %w", s.Err, io.EOF)}, nil
}

var taskAddUp = mp.Func(addUp)

// Registered types travel in any interface, errors in any case.
func TestInterfacesTravel(t *testing.T) {
	got := get(taskAddUp.Run(t.Context(), sketch{[]figure{tile{2}, &disc{1}}, fmt.Errorf("a: %w", errFlat)}))(t)
	if len(got.Figures) != 1 || got.Figures[0] != (tile{7}) {
		t.Errorf("got %+v", got.Figures)
	}
	if got.Err.Error() != "a: flat, and EOF" || !errors.Is(got.Err, errFlat) || !errors.Is(got.Err, io.EOF) {
		t.Errorf("got %v", got.Err)
	}
}

func TestErrorsInObjects(t *testing.T) { everywhere(t, testErrorsInObjects) }

func testErrorsInObjects(t *testing.T, in ...mp.Option) {
	type outcome struct {
		ID  int
		Err error
	}
	q := queue[outcome](t, 3, in...)
	must(t, q.Put(t.Context(), outcome{1, nil}))
	must(t, q.Put(t.Context(), outcome{2, fmt.Errorf("b: %w", errFlat)}))
	if got := get(q.Get(t.Context()))(t); got.Err != nil {
		t.Errorf("nil arrived as %v", got.Err)
	}
	if got := get(q.Get(t.Context()))(t); got.Err == nil || got.Err.Error() != "b: flat" || !errors.Is(got.Err, errFlat) {
		t.Errorf("got %v", got.Err)
	}
}

// What is said about types that cannot live in shared memory helps.
func TestValueRefuses(t *testing.T) {
	type hides struct{ a int }
	type named struct{ Name [2]string }
	type timed struct{ At time.Time }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{second(mp.NewValue(hides{1})), "mp_test.hides.a: an unexported field cannot live in shared memory; export it"},
		{second(mp.NewValue(named{})), "mp_test.named.Name[]: string holds a pointer; only numbers, bools, and arrays and structs of them can live in shared memory; put others through a queue or a pipe, or into a manager"},
		{second(mp.NewArray[timed](1)), "mp_test.timed.At.wall: an unexported field of time.Time, which is of another package; use a number that stands for it, as UnixNano does for a time"},
	} {
		if tt.err == nil || !strings.HasSuffix(tt.err.Error(), tt.want) {
			t.Errorf("got  %v\nwant %s", tt.err, tt.want)
		}
	}
}
