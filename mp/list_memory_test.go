//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"multiproc/mp"
)

// What several processes do with a list in memory.

type pages struct {
	L    *mp.List[string]
	Sums *mp.List[int]
	From int
}

var Print = mp.Proc(func(ctx context.Context, a pages) error {
	for i := range 500 {
		if err := a.L.Append(ctx, fmt.Sprintf("page %d of the process that began with %d", i, a.From)); err != nil {
			return err
		}
		if err := a.L.Insert(ctx, i, fmt.Sprint(a.From)); err != nil {
			return err
		}
		if _, err := a.Sums.Add(ctx, i%3, 1); err != nil {
			return err
		}
	}
	return nil
}, mp.Named("print"))

func TestListInMemory(t *testing.T) {
	ctx := t.Context()
	a := pages{
		L:    closing(t, get(mp.NewList[string]())(t)),
		Sums: closing(t, get(mp.NewList[int]())(t)),
	}
	must(t, a.Sums.AppendBatch(ctx, []int{0, 0, 0}))
	var children []mp.Child
	for i := range 3 {
		a.From = 1000 * i
		p, err := Print.Start(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		children = append(children, p)
	}
	for _, p := range children {
		must(t, p.Wait(ctx))
	}
	wantList(t, "sums", a.Sums, 501, 501, 498)
	if n := get(a.L.Len(ctx))(t); n != 3000 {
		t.Errorf("%d elements, want 3000", n)
	}
	for _, from := range []int{0, 1000, 2000} {
		if n := get(a.L.Count(ctx, fmt.Sprint(from)))(t); n != 500 {
			t.Errorf("%d are %d times there, want 500", from, n)
		}
	}
	var seen []string
	for v, err := range a.L.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, v)
	}
	wantList(t, "All", a.L, seen...)
	// Of each process the pages stand in the order in which it wrote them.
	for _, from := range []int{0, 1000, 2000} {
		next := 0
		for _, v := range seen {
			if v == fmt.Sprintf("page %d of the process that began with %d", next, from) {
				next++
			}
		}
		if next != 500 {
			t.Errorf("of process %d only %d pages stand in order", from, next)
		}
	}
}

// Elements are what they are in a manager.
func TestListInMemoryKeepsAnything(t *testing.T) {
	ctx := t.Context()
	l := closing(t, get(mp.NewList[any]())(t))
	huge := new(big.Int).Lsh(big.NewInt(1), 300)
	values := []any{
		nil, true, -1, int64(-1) << 62, math.MinInt64, math.MaxInt64, huge, 0.1, math.Inf(1), "short", []byte("bytes"),
		[]any{"a", 1},
		map[any]any{"k": 1},
		strings.Repeat("long", 100_000),
	}
	must(t, l.AppendBatch(ctx, values))
	for i, v := range values {
		must(t, l.Append(ctx, v))
		for _, at := range []int{i, -1} {
			if now := get(l.Get(ctx, at))(t); fmt.Sprint(now) != fmt.Sprint(v) {
				t.Errorf("element %d is %.50v, want %.50v", at, now, v)
			}
		}
		must(t, l.Set(ctx, i, v))
		if at := get(l.Index(ctx, v))(t); at != i {
			t.Errorf("%.50v stands at %d, want %d", v, at, i)
		}
	}
	must(t, l.Clear(ctx))
	must(t, l.AppendBatch(ctx, []any{1, 1.0, true, big.NewInt(1), "1"}))
	if n := get(l.Count(ctx, 1.0))(t); n != 4 {
		t.Errorf("1, 1.0, true, big 1 and \"1\" equal 1.0 %d times, want 4", n)
	}
	wantErr(t, "sort of numbers and a text", l.Sort(ctx, false), mp.ErrType)
	if n := get(l.Len(ctx))(t); n != 5 {
		t.Errorf("then there are %d", n)
	}
}

// Values that are no short words, and types whose values are scalars.
func TestListInMemoryOfScalars(t *testing.T) {
	ctx := t.Context()
	listOf(t, ctx, math.MinInt64, -1, 0, 1, math.MaxInt64)
	listOf(t, ctx, uint64(0), math.MaxInt64, math.MaxUint64)
	listOf[int8](t, ctx, -128, 127)
	listOf(t, ctx, 0.1, 2, math.Inf(-1))
	listOf(t, ctx, "", "short", strings.Repeat("long", 1000))
	narrow := closing(t, get(mp.NewList[any]())(t))
	must(t, narrow.Append(ctx, 1000))
	_, err := closing(t, get(mp.NewList[int8]())(t)).Get(ctx, 0)
	wantErr(t, "Get of nothing", err, mp.ErrIndex)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	wantErr(t, "Append after the end of ctx", narrow.Append(ended, 1), context.Canceled)
	must(t, narrow.Close())
	wantErr(t, "Append to a closed list", narrow.Append(ctx, 1), mp.ErrClosed)
}

func listOf[T comparable](t *testing.T, ctx context.Context, vs ...T) {
	t.Helper()
	l := closing(t, get(mp.NewList[T]())(t))
	for i, v := range vs {
		must(t, l.Append(ctx, v))
		if now := get(l.Get(ctx, i))(t); now != v {
			t.Errorf("element %d is %v, want %v", i, now, v)
		}
	}
	for i, v := range slices.Backward(vs) {
		must(t, l.Set(ctx, len(vs)-1-i, v))
	}
	slices.Reverse(vs)
	wantList(t, "reversed", l, vs...)
}

func TestListInMemoryRefusesHandles(t *testing.T) {
	ctx := t.Context()
	l := closing(t, get(mp.NewList[*mp.List[int]]())(t))
	inner := closing(t, get(mp.NewList[int]())(t))
	err := l.Append(ctx, inner)
	wantErr(t, "a list in a list in memory", err, errors.ErrUnsupported)
	wantText(t, "a list in a list in memory", err, "manager")
}

type heap struct{ L *mp.List[int] }

var Churn = mp.Proc(func(ctx context.Context, a heap) error {
	for i := 0; ; i++ {
		var err error
		switch i % 5 {
		case 0, 1:
			err = a.L.Append(ctx, i)
		case 2:
			err = a.L.Insert(ctx, i%97, i)
		case 3:
			err = a.L.AppendBatch(ctx, []int{-i, -i})
		case 4:
			if _, err = a.L.Pop(ctx, i%89); errors.Is(err, mp.ErrIndex) {
				err = nil
			}
		}
		if i == 2000 {
			err = errors.Join(err, a.L.Append(ctx, math.MaxInt))
		}
		if err != nil {
			return err
		}
	}
}, mp.Named("churn"))

// Who is killed in the middle of changes leaves a list that is sound, and that others
// change at once.
func TestListInMemorySurvivesKills(t *testing.T) {
	ctx := t.Context()
	l := closing(t, get(mp.NewList[int]())(t))
	for round := range 8 {
		p, err := Churn.Start(ctx, heap{l})
		if err != nil {
			t.Fatal(err)
		}
		for ok := false; !ok; {
			ok = get(l.Has(ctx, math.MaxInt))(t)
			stillRuns(t, p)
		}
		must(t, p.Kill())
		_ = p.Wait(ctx)
		all := get(l.Copy(ctx))(t)
		if n := get(l.Len(ctx))(t); n != len(all) {
			t.Errorf("round %d: Len %d, Copy has %d", round, n, len(all))
		}
		// A batch was put there whole, or not.
		for i := 0; i < len(all); i++ {
			if v := all[i]; v < 0 {
				if n := get(l.Count(ctx, v))(t); n > 2 {
					t.Errorf("round %d: %d is there %d times", round, v, n)
				}
				break
			}
		}
		if v := all[len(all)-1]; v < 0 && all[len(all)-2] != v {
			t.Errorf("round %d: half of a batch was put there", round)
		}
		must(t, l.Clear(ctx))
	}
}
