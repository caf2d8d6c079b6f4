package objects

import (
	"errors"
	"testing"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

func numbers(n int) *pyvalue.List {
	l := listOf()
	for i := range n {
		l.Items = append(l.Items, int64(i))
	}
	return l
}

func isMemoryError(err error) bool {
	var e *pyvalue.Exception
	return errors.As(err, &e) && e.Class.Name == "MemoryError"
}

// One call runs over a bounded number of elements, however often its few bytes
// name the same ones.
func TestLoopsAreBounded(t *testing.T) {
	s := newStore(t, store.Limits{})
	big := store.Of(numbers(100))
	for what, loop := range map[string]func(all *loops) error{
		"any of the operands": func(all *loops) error {
			_, err := anyOf(all, []store.Item{big, big, big, big})
			return err
		},
		"all of the operands": func(all *loops) error {
			_, err := allOf(all, []store.Item{big, big, big, big})
			return err
		},
		"ranges": func(all *loops) error {
			r := store.Of(pyvalue.Range{Start: int64(0), Stop: int64(100), Step: int64(1)})
			_, err := anyOf(all, []store.Item{r, r, r, r})
			return err
		},
		"an iterator of an iterator": func(all *loops) error {
			var v pyvalue.Value = numbers(100)
			for range 4 {
				v = &pyvalue.Object{Func: iterClass, Args: pyvalue.Tuple{v}}
			}
			_, err := all.over(store.Of(v))
			return err
		},
	} {
		all := newLoops(s, nil)
		all.room = 250
		if err := loop(all); !isMemoryError(err) {
			t.Errorf("%s: %v", what, err)
		}
		all = newLoops(s, nil)
		all.room = 400
		if err := loop(all); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A set takes as many operands as there are.
func TestManyOperands(t *testing.T) {
	p := newProbe(t, store.Limits{})
	const n = 50
	same := make([]pyvalue.Value, n)
	for i := range same {
		same[i] = numbers(100)
	}
	s := p.create("set", ints(5, 2000))
	for _, c := range []struct{ method, want string }{
		{"intersection", "{5}"},
		{"difference", "{2000}"},
		{"difference_update", "None"},
		{"intersection_update", "None"},
	} {
		if got := s.text(c.method, same...); got != c.want {
			t.Errorf("%s of many operands: %s, want %s", c.method, got, c.want)
		}
	}
	s.wants("None", "set()", "clear")
}

// Elements that contain the same large value are not counted as often as they
// do.
func TestSharedPartsAreBounded(t *testing.T) {
	p := newProbe(t, store.Limits{})
	big, wrapped := numbers(1<<16), listOf()
	for i := range 1 << 7 {
		wrapped.Items = append(wrapped.Items, pyvalue.Tuple{int64(i), big})
	}
	l := p.create("list")
	if _, err := l.call("extend", wrapped); !isMemoryError(err) {
		t.Errorf("extend: %v", err)
	}
	l.wants("0", "", "__len__")
}

// Nor are they written out as often.
func TestSharedTextIsBounded(t *testing.T) {
	p := newProbe(t, store.Limits{})
	text := listOf(string(make([]byte, 100_000)))
	entries := dictOf()
	for i := range 2000 {
		entries.Entries = append(entries.Entries, pyvalue.Entry{Key: int64(i), Value: text})
	}
	raw, err := interchange.AppendValue(nil, entries)
	if err != nil || len(raw) > 200_000 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	d := p.create("dict")
	o := &outcome{}
	o.Method, o.Args = "update", store.Args{Pos: []store.Item{store.Raw(raw)}}
	p.ss.Begin(&o.Call, d.id, o)
	if !isMemoryError(o.err) {
		t.Errorf("update: %v", o.err)
	}
	d.wants("None", "", "update", entries) // as trees they share it
}
