package drivertest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

var setTests = []test{
	{"members", testSetMembers},
	{"equal members", testSetEqual},
	{"many", testSetMany},
	{"pages", testSetPages},
}

func newSet(t *testing.T, p driver.Place, vs ...pyvalue.Value) complete.Set {
	t.Helper()
	s := open[complete.Set](t, p, driver.Spec{Kind: driver.KindSet})
	for _, v := range vs {
		_, err := s.Add(within(t, timeLimit), item(t, v))
		must(t, err)
	}
	return s
}

// members checks what is in a set, in the order of the bytes.
func members(t *testing.T, s complete.Set, want string) {
	t.Helper()
	page, _, err := s.Page(within(t, timeLimit), 0, 0)
	slices.SortFunc(page, bytes.Compare)
	readAll(t, "members", page, err, want)
}

func testSetMembers(t *testing.T, p driver.Place) {
	s, ctx := newSet(t, p), within(t, timeLimit)
	_, err := s.Pop(ctx)
	wantErr(t, "pop of nothing", err, mperr.ErrEmpty)
	ok, err := s.Add(ctx, item(t, "a"))
	is(t, "add", ok, err, true)
	ok, err = s.Add(ctx, item(t, "a"))
	is(t, "add again", ok, err, false)
	ok, err = s.Has(ctx, item(t, "a"))
	is(t, "has", ok, err, true)
	ok, err = s.Remove(ctx, item(t, "b"))
	is(t, "remove of nothing", ok, err, false)
	ok, err = s.Remove(ctx, item(t, "a"))
	is(t, "remove", ok, err, true)
	ok, err = s.Has(ctx, item(t, "a"))
	is(t, "has not", ok, err, false)
	_, err = s.Add(ctx, item(t, "b"))
	must(t, err)
	v, err := s.Pop(ctx)
	reads(t, "pop", v, err, "'b'")
	n, err := s.Len(ctx)
	is(t, "len", n, err, 0)
	_, err = s.Add(ctx, item(t, &pyvalue.List{}))
	wantErr(t, "an unhashable value", err, mperr.ErrType)
}

func testSetEqual(t *testing.T, p driver.Place) {
	s, ctx := newSet(t, p, 1, true, 1.0, "1", pyvalue.Tuple{int64(1)}, pyvalue.Tuple{1.0}), within(t, timeLimit)
	n, err := s.Len(ctx)
	is(t, "len", n, err, 3)
	ok, err := s.Has(ctx, item(t, 1.0))
	is(t, "has", ok, err, true)
}

func testSetMany(t *testing.T, p driver.Place) {
	s, ctx := newSet(t, p, 1, 2, 3), within(t, timeLimit)
	n, err := s.AddAll(ctx, items(t, 3, 4, 5, 5))
	is(t, "added", n, err, 2)
	members(t, s, "1 2 3 4 5")
	n, err = s.RemoveAll(ctx, items(t, 1, 1, 9))
	is(t, "removed", n, err, 1)
	members(t, s, "2 3 4 5")
	n, err = s.Retain(ctx, items(t, 3, 7))
	is(t, "not retained", n, err, 3)
	members(t, s, "3")
	n, err = s.Len(ctx)
	is(t, "len", n, err, 1)
	must(t, s.Clear(ctx))
	n, err = s.Len(ctx)
	is(t, "len", n, err, 0)
	crowd(t, 5, 100, func(ctx context.Context) error {
		_, err := s.Add(ctx, item(t, "same"))
		return err
	})
	n, err = s.Len(ctx)
	is(t, "len", n, err, 1)
}

func testSetPages(t *testing.T, p driver.Place) {
	s, ctx := newSet(t, p), within(t, timeLimit)
	for i := range 50 {
		for _, v := range items(t, i, fmt.Sprint("go", i)) {
			_, err := s.Add(ctx, v)
			must(t, err)
		}
	}
	seen, step := map[string]int{}, 0
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		page, next, err := s.Page(ctx, cursor, 7)
		must(t, err)
		for _, v := range page {
			seen[text(t, v)]++
		}
		for i := range 4 {
			_, err = s.Remove(ctx, item(t, fmt.Sprint("go", 4*step+i)))
			must(t, err)
		}
		_, err = s.Remove(ctx, item(t, 49))
		must(t, err)
		cursor = next
		if step++; step > 100 {
			t.Fatal("the walk does not end")
		}
	}
	for v, n := range seen {
		if n != 1 {
			t.Errorf("%s was seen %d times", v, n)
		}
	}
	for i := range 49 {
		if seen[fmt.Sprint(i)] != 1 {
			t.Errorf("%d was not seen", i)
		}
	}
	whole, next, err := s.Page(ctx, 0, 0)
	n, _ := s.Len(ctx)
	if err != nil || next != 0 || len(whole) != n {
		t.Errorf("everything at once: %d of %d, next %d, %v", len(whole), n, next, err)
	}
}
