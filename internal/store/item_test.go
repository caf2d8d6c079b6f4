package store

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// samples are pairs of unequal values.
var samples = []pyvalue.Value{
	nil, true, int64(0), int64(-5), int64(1) << 40, 2.5, "text", "", []byte("text"),
	pyvalue.Tuple{int64(1), "x"},
	&pyvalue.List{Items: []pyvalue.Value{int64(1), "x"}}, &pyvalue.Dict{Entries: []pyvalue.Entry{{Key: "k", Value: nil}}},
	pyvalue.Ref{ID: 7, Type: "box"},
	&pyvalue.List{Items: []pyvalue.Value{pyvalue.Ref{ID: 8, Type: "box"}}},
}

func both(t *testing.T, v pyvalue.Value) (tree, raw Item) {
	t.Helper()
	b, err := interchange.AppendValue(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return Of(v), Raw(b)
}

func TestItemsInBothForms(t *testing.T) {
	for i, v := range samples {
		tree, raw := both(t, v)
		if !tree.Equal(raw) || !raw.Equal(tree) || !raw.Equal(raw) || !tree.Equal(tree) {
			t.Errorf("%v is not itself", v)
		}
		if !bytes.Equal(tree.AppendCBOR(nil), raw.AppendCBOR(nil)) {
			t.Errorf("%v has two forms", v)
		}
		if (v == nil) != raw.IsNone() || (v == nil) != tree.IsNone() {
			t.Errorf("%v: None?", v)
		}
		if tree.Size() < 8 || raw.Size() < len(raw.raw) {
			t.Errorf("%v takes %d and %d bytes", v, tree.Size(), raw.Size())
		}
		k1, err1 := tree.Key()
		k2, err2 := raw.Key()
		if k1 != k2 || (err1 == nil) != (err2 == nil) {
			t.Errorf("%v: keys %q and %q, %v, %v", v, k1, k2, err1, err2)
		}
		for _, w := range samples[i+1:] {
			other, otherRaw := both(t, w)
			if tree.Equal(other) || raw.Equal(otherRaw) || tree.Equal(otherRaw) || raw.Equal(other) {
				t.Errorf("%v equals %v", v, w)
			}
		}
	}
	if _, err := Of(&pyvalue.List{}).Key(); !errors.Is(err, mperr.ErrType) {
		t.Errorf("a list is hashable: %v", err)
	}
}

func TestItemRefs(t *testing.T) {
	v := &pyvalue.List{Items: []pyvalue.Value{pyvalue.Ref{ID: 1, Type: "a"}, pyvalue.Tuple{pyvalue.Ref{ID: 2, Type: "b"}}, pyvalue.Ref{ID: 1, Type: "a"}}}
	tree, raw := both(t, v)
	for _, it := range []Item{tree, raw} {
		var ids []uint64
		it.Refs(func(id uint64) bool { ids = append(ids, id); return true })
		if slices.Sort(ids); !slices.Equal(ids, []uint64{1, 1, 2}) {
			t.Errorf("refers to %v", ids)
		}
		n := 0
		Args{Pos: []Item{it, it}}.Refs(func(uint64) bool { n++; return false })
		if n != 1 {
			t.Errorf("yielded %d times after the end", n)
		}
	}
	if it := Of("plain"); it.refs {
		t.Error("a text refers")
	}
}

func TestArray(t *testing.T) {
	var items []Item
	for n := 0; n < 300; n += 1 + n/20 {
		whole := Array(items...)
		if err := interchange.Check(whole.raw, interchange.Limits{}); err != nil {
			t.Fatal(err)
		}
		back, err := whole.Items()
		if err != nil || len(back) != len(items) {
			t.Fatal(len(back), len(items), err)
		}
		for i := range back {
			if !back[i].Equal(items[i]) || back[i].refs && !items[i].refs {
				t.Fatalf("item %d of %d is %v", i, len(items), back[i].Value())
			}
		}
		for len(items) <= n {
			tree, raw := both(t, samples[len(items)%len(samples)])
			items = append(items, tree, raw)
		}
	}
	if Array(ref(1)).refs != true {
		t.Error("references are lost")
	}
	values, err := Of(pyvalue.Tuple{int64(1), "x"}).Items()
	if err != nil || len(values) != 2 || values[1].Value() != "x" {
		t.Error(values, err)
	}
	for _, it := range []Item{Of("x"), Raw([]byte{0x61, 'x'}), Raw([]byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), Raw([]byte{0x9a, 0}), Raw(nil)} {
		if _, err := it.Items(); err == nil {
			t.Errorf("%v is a list", it)
		}
	}
}

func FuzzItems(f *testing.F) {
	f.Add([]byte{0x82, 0x01, 0x61, 'x'})
	f.Add([]byte{0x99, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := Raw(b).Items()
		if err != nil {
			return
		}
		whole, n := Array(items...), 0
		for _, it := range items {
			n += len(it.raw)
		}
		if back, err := whole.Items(); err != nil || len(back) != len(items) || n > len(b) {
			t.Errorf("%x: %d items, %d back, %v", b, len(items), len(back), err)
		}
	})
}

func BenchmarkBegin(b *testing.B) {
	s := New(Limits{})
	s.Add(&Type{ID: "echo", New: func(*Store, Args) (Object, error) { return &echo{}, nil }})
	ss := s.Join(Client{})
	id, _, _ := ss.Create("echo", Args{})
	key := Raw([]byte{0x65, 'h', 'e', 'l', 'l', 'o'})
	type request struct {
		Call
		discard
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := &request{}
			r.Call.Method = "get"
			r.Args.Pos = []Item{key}
			ss.Begin(&r.Call, id, discard{})
		}
	})
}

type echo struct{ box }

func (e *echo) Call(c *Call) { c.Return(c.Args.Pos[0]) }

type discard struct{}

func (discard) Return(Item, bool) {}
func (discard) Fail(error)        {}
func (discard) Emit(Item) bool    { return false }
func (discard) New(*Type, uint64) {}

// Parts that share parts are counted in a bounded time.
func TestSharedParts(t *testing.T) {
	shared := &pyvalue.List{Items: make([]pyvalue.Value, 100)}
	var twice, apart []pyvalue.Value
	for range 10 {
		twice = append(twice, pyvalue.Tuple{shared})
		apart = append(apart, pyvalue.Tuple{&pyvalue.List{Items: make([]pyvalue.Value, 100)}})
	}
	if _, err := ofAll(twice, 500); !errors.Is(err, mperr.ErrLimit) {
		t.Errorf("parts that share 100 values ten times: %v", err)
	}
	for _, parts := range [][]pyvalue.Value{apart, twice[:5], {shared, shared, shared, shared, shared, shared, shared}, nil} {
		items, err := ofAll(parts, 500)
		if err != nil || len(items) != len(parts) {
			t.Errorf("%d of %d parts: %v", len(items), len(parts), err)
		}
		for i := range items {
			if items[i].Size() != Of(parts[i]).Size() {
				t.Errorf("part %d takes %d bytes, want %d", i, items[i].Size(), Of(parts[i]).Size())
			}
		}
	}
}
