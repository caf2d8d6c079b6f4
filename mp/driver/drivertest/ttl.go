package drivertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var ttlTests = []test{
	{"end", testTTLEnd},
	{"of one entry", testTTLOfOne},
	{"anew", testTTLAnew},
	{"renewed", testTTLRenewed},
	{"without", testTTLWithout},
	{"watch", testTTLWatch},
}

// brief is a time to live that a test waits out.
const brief = 2 * time.Millisecond

// newTimed makes a dict whose entries have a time to live.
func newTimed(t *testing.T, p driver.Place, ttl time.Duration) complete.Dict {
	t.Helper()
	d := open[complete.Dict](t, p, driver.Spec{Kind: driver.KindDict, TTL: ttl})
	needsMethod(t, d, "SetFor")
	return d
}

// untilGone waits for the end of an entry's time.
func untilGone(t *testing.T, d complete.Dict, key []byte) {
	t.Helper()
	ctx := within(t, timeLimit)
	for {
		_, err := d.Get(ctx, key)
		if errors.Is(err, mperr.ErrNoKey) {
			return
		}
		must(t, err)
	}
}

// An entry whose time is up is as good as deleted, for all methods.
func testTTLEnd(t *testing.T, p driver.Place) {
	d, ctx := newTimed(t, p, brief), within(t, timeLimit)
	a, b, c := item(t, "a"), item(t, "b"), item(t, "c")
	must(t, d.Set(ctx, a, item(t, 1)))
	must(t, d.SetAll(ctx, [][]byte{b, c}, items(t, 2, 3)))
	for _, key := range [][]byte{a, b, c} {
		untilGone(t, d, key)
	}
	has, err := d.Has(ctx, a)
	is(t, "has", has, err, false)
	n, err := d.Len(ctx)
	is(t, "len", n, err, 0)
	all(t, d, "")
	keys, _, err := d.PageKeys(ctx, 0, 10)
	is(t, "keys", len(keys), err, 0)
	_, _, err = d.PopItem(ctx)
	wantErr(t, "popitem", err, mperr.ErrNoKey)
	_, err = d.Pop(ctx, b)
	wantErr(t, "pop", err, mperr.ErrNoKey)
	ok, err := d.Delete(ctx, c)
	is(t, "delete", ok, err, false)
	ok, err = d.CompareAndSwap(ctx, a, item(t, 1), item(t, 2))
	is(t, "compare and swap", ok, err, false)
}

// One entry has a time of its own, the others that of the dict.
func testTTLOfOne(t *testing.T, p driver.Place) {
	d, ctx := newTimed(t, p, time.Hour), within(t, timeLimit)
	must(t, d.Set(ctx, item(t, "stays"), item(t, 1)))
	must(t, d.SetFor(ctx, item(t, "goes"), item(t, 2), brief))
	must(t, d.SetFor(ctx, item(t, "stays, too"), item(t, 3), 2*time.Hour))
	untilGone(t, d, item(t, "goes"))
	all(t, d, "'stays' 1 'stays, too' 3")
	n, err := d.Len(ctx)
	is(t, "len", n, err, 2)
	k, _, err := d.PopItem(ctx)
	reads(t, "popitem", k, err, "'stays, too'")
	wantErr(t, "a time of nothing", d.SetFor(ctx, item(t, "no"), item(t, 1), 0), mperr.ErrValue)
	wantErr(t, "a time of less", d.SetFor(ctx, item(t, "no"), item(t, 1), -time.Second), mperr.ErrValue)
	all(t, d, "'stays' 1")
}

// A key whose entry is over is set as one that was never there: at the end, and not by the
// version that it had.
func testTTLAnew(t *testing.T, p driver.Place) {
	d, ctx := newTimed(t, p, time.Hour), within(t, timeLimit)
	k := item(t, "k")
	var was driver.Versioned
	for err := error(mperr.ErrNoKey); errors.Is(err, mperr.ErrNoKey); { // it may be over before it is read
		must(t, d.SetFor(ctx, k, item(t, 1), brief))
		was, err = d.Get(ctx, k)
		if !errors.Is(err, mperr.ErrNoKey) {
			must(t, err)
		}
	}
	must(t, d.Set(ctx, item(t, "other"), item(t, 2)))
	untilGone(t, d, k)
	ok, err := d.SetVersion(ctx, k, item(t, 3), was.Version)
	is(t, "set by the version that it had", ok, err, false)
	ok, err = d.SetVersion(ctx, k, nil, was.Version)
	is(t, "delete by the version that it had", ok, err, false)
	ok, err = d.SetVersion(ctx, k, nil, 0)
	is(t, "delete if there is none", ok, err, true)
	ok, err = d.SetVersion(ctx, k, item(t, 4), 0)
	is(t, "set if there is none", ok, err, true)
	all(t, d, "'other' 2 'k' 4")
	now, err := d.Get(ctx, k)
	must(t, err)
	if now.Version <= was.Version {
		t.Errorf("version %d after %d", now.Version, was.Version)
	}
	for _, set := range []struct {
		name string
		f    func(ctx context.Context) error
		want string
	}{
		{"set", func(ctx context.Context) error { return d.Set(ctx, k, item(t, 5)) }, "5"},
		{"set default", func(ctx context.Context) error { _, err := d.SetDefault(ctx, k, item(t, 6)); return err }, "6"},
		{"add", func(ctx context.Context) error { _, err := d.Add(ctx, k, item(t, 7)); return err }, "7"},
		{"set all", func(ctx context.Context) error { return d.SetAll(ctx, [][]byte{k}, items(t, 8)) }, "8"},
	} {
		must(t, d.SetFor(ctx, k, item(t, 100), brief))
		untilGone(t, d, k)
		must(t, set.f(ctx))
		all(t, d, "'other' 2 'k' "+set.want)
	}
}

// Each change of a value begins a new time, that of the dict.
func testTTLRenewed(t *testing.T, p driver.Place) {
	d, ctx := newTimed(t, p, time.Hour), within(t, timeLimit)
	const ttl = 20 * brief
	key := func(name string) []byte { return item(t, name) }
	sets := map[string]func(k []byte) error{
		"set":      func(k []byte) error { return d.Set(ctx, k, item(t, 2)) },
		"set all":  func(k []byte) error { return d.SetAll(ctx, [][]byte{k}, items(t, 2)) },
		"add":      func(k []byte) error { _, err := d.Add(ctx, k, item(t, 1)); return err },
		"swap":     func(k []byte) error { _, err := d.CompareAndSwap(ctx, k, item(t, 1), item(t, 2)); return err },
		"set for":  func(k []byte) error { return d.SetFor(ctx, k, item(t, 2), time.Hour) },
		"set, set": func(k []byte) error { return errors.Join(d.Set(ctx, k, item(t, 3)), d.Set(ctx, k, item(t, 2))) },
	}
	for name, set := range sets {
		k := key(name)
		must(t, d.SetFor(ctx, k, item(t, 1), ttl))
		must(t, set(k))
	}
	must(t, d.SetFor(ctx, key("last"), item(t, 1), ttl))
	untilGone(t, d, key("last"))
	for name := range sets {
		got, err := d.Get(ctx, key(name))
		if errors.Is(err, mperr.ErrNoKey) && (name == "swap") {
			continue // its time was up before: there was nothing to swap
		}
		if err == nil && name == "add" && text(t, got.Value) == "1" {
			continue // the same
		}
		reads(t, name, got.Value, err, "2")
	}
}

// A dict that was made without a time to live has none.
func testTTLWithout(t *testing.T, p driver.Place) {
	d, ctx := newDict(t, p), within(t, timeLimit)
	needsMethod(t, d, "SetFor")
	wantErr(t, "set for a while", d.SetFor(ctx, item(t, "k"), item(t, 1), time.Hour), errors.ErrUnsupported)
	all(t, d, "")
}

// The end of an entry is a deletion for who watches, though nobody calls anything.
func testTTLWatch(t *testing.T, p driver.Place) {
	d, ctx := newTimed(t, p, brief), within(t, timeLimit)
	needsMethod(t, d, "Watch")
	changes := d.Watch(ctx)
	must(t, d.Set(ctx, item(t, "k"), item(t, 1)))
	var got [][]byte
	last := uint64(0)
	for c, err := range changes {
		must(t, err)
		if c.Version <= last {
			t.Errorf("version %d after %d", c.Version, last)
		}
		got, last = append(got, c.Key, c.Value), c.Version
		if len(got) == 4 {
			break
		}
	}
	readAll(t, "changes", got, nil, "'k' 1 'k' nothing")
}
