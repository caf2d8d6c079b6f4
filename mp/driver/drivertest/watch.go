package drivertest

import (
	"context"
	"fmt"
	"testing"

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
	d, ctx := newDict(t, p), within(t, patience)
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
	readAll(t, "changes", got, nil, "'a' 1 'a' 2 'a' 5 'old' nothing 'b' 6 'c' 7 nothing nothing 'end' 8")
	now, err := d.Get(ctx, item(t, "end"))
	must(t, err)
	if now.Version != last[string(item(t, "end"))] {
		t.Errorf("Watch says version %d, Get %d", last[string(item(t, "end"))], now.Version)
	}
}

func testWatchEnd(t *testing.T, p driver.Place) {
	d := newDict(t, p)
	ctx, cancel := context.WithCancel(within(t, patience))
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
	d, ctx := newDict(t, p), within(t, 2*patience)
	changes := d.Watch(ctx)
	keys, vs := make([][]byte, batch), make([][]byte, batch)
	for i := range batches {
		for j := range batch {
			keys[j], vs[j] = item(t, "k"), item(t, i*batch+j)
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
	l, ctx := newList(t, p), within(t, patience)
	changes := l.Watch(ctx)
	must(t, l.Append(ctx, item(t, "a")))
	must(t, l.Insert(ctx, 0, item(t, "b")))
	must(t, l.Set(ctx, -1, item(t, "c")))
	must(t, l.Sort(ctx, false))
	_, err := l.Pop(ctx, -1)
	must(t, err)
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
	if want := "append 0 'a'; insert 0 'b'; set 1 'c'; sort -1 nothing; pop 1 nothing; clear -1 nothing; "; got != want {
		t.Errorf("changes:\n got %s\nwant %s", got, want)
	}
}
