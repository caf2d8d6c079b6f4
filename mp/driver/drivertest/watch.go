package drivertest

import (
	"context"
	"fmt"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var watchTests = []test{
	{"order", testWatchOrder},
	{"end", testWatchEnd},
	{"slow", testWatchSlow},
	{"list", testWatchList},
}

func testWatchOrder(t *testing.T, p driver.Place) {
	d, ctx := newDict(t, p), within(t, timeLimit)
	needsMethod(t, d, "Watch")
	must(t, d.Set(ctx, item(t, "old"), item(t, 0)))
	changes := d.Watch(ctx)
	// All of this before the loop begins.
	must(t, d.Set(ctx, item(t, "a"), item(t, 1)))
	must(t, d.Set(ctx, item(t, "a"), item(t, 2)))
	_, err := d.Add(ctx, item(t, "a"), item(t, 3))
	must(t, err)
	_, err = d.Pop(ctx, item(t, "old"))
	must(t, err)
	_, err = d.Delete(ctx, item(t, "no"))
	must(t, err)
	must(t, d.SetAll(ctx, items(t, "b", "c"), items(t, 6, 7)))
	must(t, d.Clear(ctx))
	changeDict(t, d, item(t, "k"))
	must(t, d.Set(ctx, item(t, "end"), item(t, 8)))
	var got [][]byte
	last := map[string]uint64{}
	for c, err := range changes {
		must(t, err)
		got = append(got, c.Key, c.Value)
		if k := string(c.Key); c.Key != nil {
			if c.Version <= last[k] {
				t.Errorf("%s: version %d after %d", text(t, c.Key), c.Version, last[k])
			}
			last[k] = c.Version
		}
		if c.Key != nil && text(t, c.Key) == "'end'" {
			break
		}
	}
	readAll(t, "changes", got, nil, "'a' 1 'a' 2 'a' 5 'old' nothing 'b' 6 'c' 7 nothing nothing "+
		"'k' 1 'k' 2 'k' 3 'k' nothing 'k' 4 'k' nothing 'end' 8")
	now, err := d.Get(ctx, item(t, "end"))
	must(t, err)
	if now.Version != last[string(item(t, "end"))] {
		t.Errorf("Watch says version %d, Get %d", last[string(item(t, "end"))], now.Version)
	}
}

// changeDict changes an entry in the other ways, and does what changes nothing
// and is no news.
func changeDict(t *testing.T, d complete.Dict, key []byte) {
	t.Helper()
	ctx := within(t, timeLimit)
	for range 2 {
		v, err := d.SetDefault(ctx, key, item(t, 1))
		reads(t, "set default", v, err, "1")
	}
	ok, err := d.CompareAndSwap(ctx, key, item(t, 1), item(t, 2))
	is(t, "compare and swap", ok, err, true)
	ok, err = d.CompareAndSwap(ctx, key, item(t, 1), item(t, 9))
	is(t, "compare and swap", ok, err, false)
	old, err := d.Get(ctx, key)
	must(t, err)
	ok, err = d.SetVersion(ctx, key, item(t, 3), old.Version)
	is(t, "set by version", ok, err, true)
	ok, err = d.SetVersion(ctx, key, item(t, 9), old.Version)
	is(t, "set by an old version", ok, err, false)
	now, err := d.Get(ctx, key)
	must(t, err)
	ok, err = d.SetVersion(ctx, key, nil, now.Version)
	is(t, "delete by version", ok, err, true)
	ok, err = d.SetVersion(ctx, key, item(t, 4), 0)
	is(t, "set what is not there", ok, err, true)
	_, v, err := d.PopItem(ctx)
	reads(t, "pop item", v, err, "4")
}

func testWatchEnd(t *testing.T, p driver.Place) {
	d := newDict(t, p)
	needsMethod(t, d, "Watch")
	ctx, cancel := context.WithCancel(within(t, timeLimit))
	defer cancel()
	changes := d.Watch(ctx)
	must(t, d.Set(ctx, item(t, "k"), item(t, 1)))
	n := 0
	for c, err := range changes {
		switch n++; n {
		case 1:
			reads(t, "the change", c.Value, err, "1")
			cancel()
		case 2:
			wantErr(t, "the last pair", err, context.Canceled)
		default:
			t.Fatal("a pair after the last")
		}
	}
	if n != 2 {
		t.Errorf("%d pairs, want a change and an error", n)
	}
	for _, err := range d.Watch(ctx) {
		wantErr(t, "a watch that begins too late", err, context.Canceled)
	}
}

// A watcher that does not read gets the changes without a gap, up to the end or
// to ErrOverrun, and disturbs nobody.
func testWatchSlow(t *testing.T, p driver.Place) {
	const batch, batches = 1000, 30
	d, ctx := newDict(t, p), within(t, 2*timeLimit)
	needsMethod(t, d, "Watch")
	changes := d.Watch(ctx)
	keys, vs := make([][]byte, batch), make([][]byte, batch)
	for i := range batches {
		for j := range batch {
			keys[j], vs[j] = item(t, j), item(t, i*batch+j)
		}
		must(t, d.SetAll(ctx, keys, vs))
	}
	n := 0
	for c, err := range changes {
		if err != nil {
			wantErr(t, "the last pair", err, mperr.ErrOverrun)
			t.Logf("overrun after %d changes", n)
			return
		}
		reads(t, "change", c.Value, nil, fmt.Sprint(n))
		if n++; n == batch*batches {
			return
		}
	}
	t.Errorf("after %d changes the watch ended without an error", n)
}

func testWatchList(t *testing.T, p driver.Place) {
	if !offers(t, p, driver.KindList) {
		t.Skipf("%v does not offer lists", p)
	}
	l, ctx := newList(t, p), within(t, timeLimit)
	needsMethod(t, l, "Watch")
	changes := l.Watch(ctx)
	must(t, l.Append(ctx, item(t, "a")))
	must(t, l.Insert(ctx, 0, item(t, "b")))
	must(t, l.Set(ctx, -1, item(t, "c")))
	must(t, l.Sort(ctx, false))
	changeList(t, l)
	must(t, l.Clear(ctx))
	var got string
	var last uint64
	for c, err := range changes {
		must(t, err)
		got += fmt.Sprintf("%s %d %s; ", c.Op, c.Index, text(t, c.Value))
		if c.Version <= last {
			t.Errorf("%s: version %d after %d", c.Op, c.Version, last)
		}
		last = c.Version
		if c.Op == "clear" {
			break
		}
	}
	want := "append 0 'a'; insert 0 'b'; set 1 'c'; sort -1 nothing; " +
		"extend -1 nothing; set 0 'by'; set 1 'C'; set 2 'D'; reverse -1 nothing; pop 3 nothing; delete 0 nothing; " +
		"remove 0 nothing; repeat -1 nothing; setSlice -1 nothing; deleteSlice -1 nothing; clear -1 nothing; "
	if got != want {
		t.Errorf("changes:\n got %s\nwant %s", got, want)
	}
}

// changeList changes a list of b and c in all the other ways, and does what
// changes nothing and is no news.
func changeList(t *testing.T, l complete.List) {
	t.Helper()
	ctx, first, second := within(t, timeLimit), 0, 1
	must(t, l.Extend(ctx, items(t, "d", "e")))
	_, err := l.Add(ctx, 0, item(t, "y"))
	must(t, err)
	ok, err := l.CompareAndSwap(ctx, 1, item(t, "x"), item(t, "no"))
	is(t, "compare and swap", ok, err, false)
	ok, err = l.CompareAndSwap(ctx, -3, item(t, "c"), item(t, "C"))
	is(t, "compare and swap", ok, err, true)
	now, err := l.Get(ctx, 2)
	must(t, err)
	ok, err = l.SetVersion(ctx, 2, item(t, "D"), now.Version)
	is(t, "set by version", ok, err, true)
	ok, err = l.SetVersion(ctx, 2, item(t, "no"), now.Version)
	is(t, "set by an old version", ok, err, false)
	must(t, l.Reverse(ctx)) // e D C by
	_, err = l.Pop(ctx, -1)
	must(t, err)
	must(t, l.Delete(ctx, 0))
	must(t, l.Remove(ctx, item(t, "D")))
	wantErr(t, "remove of nothing", l.Remove(ctx, item(t, "no")), mperr.ErrNoValue)
	must(t, l.Repeat(ctx, 2)) // C C
	must(t, l.SetSlice(ctx, &first, &second, nil, items(t, "f", "g")))
	must(t, l.DeleteSlice(ctx, &first, nil, &second))
}
