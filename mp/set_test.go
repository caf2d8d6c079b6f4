//go:build linux

package mp_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"multiproc/mp"
	"multiproc/mp/driver"
)

func TestSet(t *testing.T) { inMemoryAndPlaces(t, testSet) }

func testSet(t *testing.T, m driver.Place) {
	s, ctx := closing(t, get(mp.NewSet[place](where(m)...))(t)), t.Context()
	ulm, bonn, kiel := place{"Ulm", 89073}, place{"Bonn", 53111}, place{"Kiel", 24103}
	wantErr(t, "Pop of nothing", get2(s.Pop(ctx)), mp.ErrEmpty)
	if a, b := get(s.Insert(ctx, ulm))(t), get(s.Insert(ctx, ulm))(t); !a || b {
		t.Errorf("Add = %v, %v", a, b)
	}
	if n := get(s.InsertBatch(ctx, []place{ulm, bonn, kiel}))(t); n != 2 {
		t.Errorf("AddAll = %d", n)
	}
	if a, b := get(s.Has(ctx, bonn))(t), get(s.Has(ctx, place{}))(t); !a || b {
		t.Errorf("Has = %v, %v", a, b)
	}
	if m := get(s.Copy(ctx))(t); !maps.Equal(m, map[place]struct{}{ulm: {}, bonn: {}, kiel: {}}) {
		t.Errorf("Copy = %v", m)
	}
	if a, b := get(s.Remove(ctx, kiel))(t), get(s.Remove(ctx, kiel))(t); !a || b {
		t.Errorf("Remove = %v, %v", a, b)
	}
	if n := get(s.Retain(ctx, []place{bonn}))(t); n != 1 {
		t.Errorf("Retain = %d", n)
	}
	if n := get(s.RemoveBatch(ctx, []place{ulm, kiel}))(t); n != 0 || get(s.Len(ctx))(t) != 1 {
		t.Errorf("RemoveAll = %d", n)
	}
	if p := get(s.Pop(ctx))(t); p != bonn {
		t.Errorf("Pop = %v", p)
	}
	must(t, get2(s.Insert(ctx, ulm)))
	must(t, s.Clear(ctx))
	if n := get(s.Len(ctx))(t); n != 0 {
		t.Errorf("Len = %d", n)
	}
}

func TestSetIterates(t *testing.T) { inMemoryAndPlaces(t, testSetIterates) }

func testSetIterates(t *testing.T, m driver.Place) {
	s, ctx := closing(t, get(mp.NewSet[int](where(m)...))(t)), t.Context()
	const n = 1100
	values := make([]int, n)
	for i := range values {
		values[i] = i
	}
	must(t, get2(s.InsertBatch(ctx, values)))
	var got []int
	for v, err := range s.All(ctx) {
		must(t, err)
		got = append(got, v)
	}
	slices.Sort(got)
	if !slices.Equal(got, values) {
		t.Errorf("All gave %d of %d", len(got), n)
	}
	for range s.All(ctx) {
		break
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range s.All(ended) {
		wantErr(t, "All", err, context.Canceled)
	}
}

func TestNamespace(t *testing.T) { inPlaces(t, testNamespace) }

func testNamespace(t *testing.T, m driver.Place) {
	ctx := t.Context()
	ns := closing(t, get(mp.NewNamespace(mp.In(m)))(t))
	wantErr(t, "Get", get2(ns.Get(ctx, "x")), mp.ErrNoKey)
	wantText(t, "Get", get2(ns.Get(ctx, "x")), `"x"`)
	wantErr(t, "Attr", get2(mp.Attr[int](ctx, ns, "x")), mp.ErrNoKey)
	must(t, ns.Set(ctx, "x", 1))
	must(t, ns.Set(ctx, "words", []any{"a", nil}))
	must(t, mp.SetAttr(ctx, ns, "home", place{"Ulm", 1}))
	must(t, mp.SetAttr(ctx, ns, "list", list(t, m, 5)))
	if v := get(ns.Get(ctx, "x"))(t); v != 1 {
		t.Errorf("Get = %v", v)
	}
	if v := get(mp.Attr[int8](ctx, ns, "x"))(t); v != 1 {
		t.Errorf("Attr = %v", v)
	}
	wantText(t, "a text for a number", get2(mp.Attr[string](ctx, ns, "x")), `"x"`)
	if v := get(ns.Add(ctx, "x", 2))(t); v != 3 {
		t.Errorf("Add = %v", v)
	}
	must(t, mp.UpdateAttr(ctx, ns, "home", func(p *place) error { p.Zip++; return nil }))
	if v := get(mp.Attr[place](ctx, ns, "home"))(t); v != (place{"Ulm", 2}) {
		t.Errorf("Attr = %v", v)
	}
	l := closing(t, get(mp.Attr[*mp.List[int]](ctx, ns, "list"))(t))
	wantList(t, "a list in a namespace", l, 5)
	if a, b := get(ns.Delete(ctx, "list"))(t), get(ns.Delete(ctx, "list"))(t); !a || b {
		t.Errorf("Delete = %v, %v", a, b)
	}
	if a, b := get(ns.Has(ctx, "x"))(t), get(ns.Has(ctx, "list"))(t); !a || b {
		t.Errorf("Has = %v, %v", a, b)
	}
	all := get(ns.Copy(ctx))(t)
	n := 0
	for e, err := range ns.All(ctx) {
		must(t, err)
		if _, ok := all[e.Key]; !ok {
			t.Errorf("All gave %q", e.Key)
		}
		n++
	}
	if n != 3 || len(all) != 3 || get(ns.Len(ctx))(t) != 3 {
		t.Errorf("%d of %v", n, all)
	}
	changes := ns.Watch(ctx)
	must(t, ns.Set(ctx, "y", true))
	for c, err := range changes {
		must(t, err)
		if c.Op != "set" || c.Key != "y" || c.Value != true {
			t.Errorf("got %+v", c)
		}
		break
	}
}
