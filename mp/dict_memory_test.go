//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"

	"multiproc/mp"
)

// What several processes do with dicts, sets and namespaces in memory.

type tallies struct {
	D    *mp.Dict[string, int]
	S    *mp.Set[int]
	N    *mp.Namespace
	From int
}

var Tally = mp.Proc(func(ctx context.Context, a tallies) error {
	for i := range 1000 {
		if _, err := a.D.Add(ctx, fmt.Sprint("word", i%10), 1); err != nil {
			return err
		}
		if err := a.D.Set(ctx, fmt.Sprint("own", a.From+i), i); err != nil {
			return err
		}
		if _, err := a.S.Insert(ctx, i); err != nil {
			return err
		}
	}
	return a.N.Set(ctx, fmt.Sprint("done", a.From), true)
}, mp.Named("tally"))

func TestDictInMemory(t *testing.T) {
	ctx := t.Context()
	a := tallies{
		D: closing(t, get(mp.NewDict[string, int]())(t)),
		S: closing(t, get(mp.NewSet[int]())(t)),
		N: closing(t, get(mp.NewNamespace())(t)),
	}
	var children []mp.Child
	for i := range 3 {
		a.From = 1000 * i
		p, err := Tally.Start(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		children = append(children, p)
	}
	for _, p := range children {
		if err := p.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
	all, err := a.D.Copy(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if n := all[fmt.Sprint("word", i)]; n != 300 {
			t.Errorf("word%d was counted %d times, want 300", i, n)
		}
	}
	if len(all) != 3010 {
		t.Errorf("%d keys, want 3010", len(all))
	}
	if n, err := a.S.Len(ctx); n != 1000 || err != nil {
		t.Errorf("the set has %d (%v), want 1000", n, err)
	}
	for i := range 3 {
		if done, err := mp.Attr[bool](ctx, a.N, fmt.Sprint("done", 1000*i)); !done || err != nil {
			t.Errorf("done%d: %v, %v", 1000*i, done, err)
		}
	}
	seen := map[string]int{}
	for e, err := range a.D.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		seen[e.Key] = e.Value
	}
	if !maps.Equal(seen, all) {
		t.Errorf("All shows %d entries, Copy %d", len(seen), len(all))
	}
}

// Keys and values are what they are in a manager.
func TestDictInMemoryKeepsAnything(t *testing.T) {
	ctx := t.Context()
	d := closing(t, get(mp.NewDict[any, any]())(t))
	for i, k := range []any{1, true, 1.0, "1", big.NewInt(1)} {
		if err := d.Set(ctx, k, i); err != nil {
			t.Fatalf("%v: %v", k, err)
		}
	}
	if n, err := d.Len(ctx); n != 2 || err != nil {
		t.Errorf("1, true, 1.0, big 1 and \"1\" are %d keys (%v), want 2", n, err)
	}
	huge := new(big.Int).Lsh(big.NewInt(1), 300)
	values := []any{nil, int64(-1) << 62, huge, 0.1, []any{"a", 1}, strings.Repeat("long", 100_000)}
	for i, v := range values {
		if err := d.Set(ctx, "v", v); err != nil {
			t.Fatalf("value %d: %v", i, err)
		}
		now, err := d.Get(ctx, "v")
		if err != nil || fmt.Sprint(now) != fmt.Sprint(v) {
			t.Errorf("value %d: %.50v, want %.50v (%v)", i, now, v, err)
		}
	}
	if sum, err := d.Add(ctx, 1, huge); err != nil || fmt.Sprint(sum) != fmt.Sprint(new(big.Int).Add(huge, big.NewInt(4))) {
		t.Errorf("4 + 2**300 is %v (%v)", sum, err)
	}
}

// A handle in a value is refused, with a word on where it works.
func TestDictInMemoryRefusesHandles(t *testing.T) {
	ctx := t.Context()
	d := closing(t, get(mp.NewDict[string, *mp.Dict[int, int]]())(t))
	inner := closing(t, get(mp.NewDict[int, int]())(t))
	err := d.Set(ctx, "a", inner)
	wantErr(t, "a dict in a dict in memory", err, errors.ErrUnsupported)
	wantText(t, "a dict in a dict in memory", err, "manager")
}

type flood struct {
	D *mp.Dict[int, int]
}

var Flood = mp.Proc(func(ctx context.Context, a flood) error {
	for i := 0; ; i++ {
		if err := a.D.Set(ctx, i%5000, i); err != nil {
			return err
		}
		if i%3 == 0 {
			if _, err := a.D.Delete(ctx, (i*7)%5000); err != nil {
				return err
			}
		}
		if i == 2000 {
			if err := a.D.Set(ctx, -1, 1); err != nil {
				return err
			}
		}
	}
}, mp.Named("flood"))

// Who is killed in the middle of changes leaves a dict that is sound, and that others
// change at once.
func TestDictInMemorySurvivesKills(t *testing.T) {
	ctx := t.Context()
	d := closing(t, get(mp.NewDict[int, int]())(t))
	for round := range 8 {
		if _, err := d.Delete(ctx, -1); err != nil {
			t.Fatal(err)
		}
		p, err := Flood.Start(ctx, flood{d})
		if err != nil {
			t.Fatal(err)
		}
		for ok := false; !ok; {
			if ok, err = d.Has(ctx, -1); err != nil {
				t.Fatal(err)
			}
			stillRuns(t, p)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait(ctx)
		all, err := d.Copy(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := d.Len(ctx); n != len(all) || err != nil {
			t.Errorf("round %d: Len %d (%v), Copy has %d", round, n, err, len(all))
		}
		for k, v := range all {
			if k >= 0 && v%5000 != k {
				t.Errorf("round %d: key %d has %d", round, k, v)
			}
		}
		if err := d.Clear(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
