package drivertest

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"sync"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

var dictTests = []test{
	{"entries", testDictEntries},
	{"many entries", testDictMany},
	{"samples", testDictSamples},
	{"equal keys", testDictEqualKeys},
	{"conditional", testDictConditional},
	{"versions", testDictVersions},
	{"sums", testDictSums},
	{"crowd", testDictCrowd},
	{"contention", testDictContention},
	{"cancelled", testDictCancelled},
}

var namespaceTests = []test{{"attributes", testNamespace}}

func newDict(t *testing.T, p driver.Place) complete.Dict {
	t.Helper()
	return open[complete.Dict](t, p, driver.Spec{Kind: driver.KindDict})
}

// all reads a dict at one moment.
func all(t *testing.T, d complete.Dict, want string) {
	t.Helper()
	keys, vs, next, err := d.Page(within(t, timeLimit), 0, 0)
	must(t, err)
	var pairs [][]byte
	for i, k := range keys {
		pairs = append(pairs, k, vs[i])
	}
	if next != 0 {
		t.Errorf("a page without limit is followed by %d", next)
	}
	readAll(t, "all", pairs, nil, want)
}

func testDictEntries(t *testing.T, p driver.Place) {
	d, ctx := newDict(t, p), within(t, timeLimit)
	_, err := d.Get(ctx, item(t, "a"))
	wantErr(t, "get of nothing", err, mperr.ErrNoKey)
	_, err = d.Pop(ctx, item(t, "a"))
	wantErr(t, "pop of nothing", err, mperr.ErrNoKey)
	ok, err := d.Delete(ctx, item(t, "a"))
	is(t, "delete of nothing", ok, err, false)

	for i, k := range []string{"b", "a", "c"} {
		must(t, d.Set(ctx, item(t, k), item(t, i)))
	}
	must(t, d.Set(ctx, item(t, "b"), item(t, 9))) // keeps its place
	all(t, d, "'b' 9 'a' 1 'c' 2")
	v, err := d.Get(ctx, item(t, "a"))
	reads(t, "get", v.Value, err, "1")
	ok, err = d.Has(ctx, item(t, "c"))
	is(t, "has", ok, err, true)
	ok, err = d.Has(ctx, item(t, "d"))
	is(t, "has", ok, err, false)
	b, err := d.Pop(ctx, item(t, "c"))
	reads(t, "pop", b, err, "2")
	ok, err = d.Delete(ctx, item(t, "b"))
	is(t, "delete", ok, err, true)
	n, err := d.Len(ctx)
	is(t, "len", n, err, 1)
	all(t, d, "'a' 1")
}

func testDictMany(t *testing.T, p driver.Place) {
	d, ctx := newDict(t, p), within(t, timeLimit)
	_, _, err := d.PopItem(ctx)
	wantErr(t, "popitem of nothing", err, mperr.ErrNoKey)
	must(t, d.Set(ctx, item(t, "b"), item(t, 9)))
	must(t, d.SetAll(ctx, items(t, "a", "b", "d"), items(t, 1, 10, 11)))
	all(t, d, "'b' 10 'a' 1 'd' 11")
	k, v, err := d.PopItem(ctx)
	reads(t, "popitem's key", k, err, "'d'")
	reads(t, "popitem's value", v, err, "11")
	must(t, d.Clear(ctx))
	all(t, d, "")
}

func testDictSamples(t *testing.T, p driver.Place) {
	d, ctx := newDict(t, p), within(t, timeLimit)
	for i, v := range sampleItems(t) {
		must(t, d.Set(ctx, item(t, i), v))
		got, err := d.Get(ctx, item(t, i))
		reads(t, fmt.Sprint("sample ", i), got.Value, err, text(t, v))
	}
	for i, k := range samples() {
		if _, err := pyvalue.Key(k); err != nil {
			wantErr(t, fmt.Sprint("an unhashable key ", pyvalue.Repr(k)), d.Set(ctx, item(t, k), item(t, i)), mperr.ErrType)
			continue
		}
		must(t, d.Set(ctx, item(t, k), item(t, i)))
		got, err := d.Get(ctx, item(t, k))
		reads(t, "key "+pyvalue.Repr(k), got.Value, err, fmt.Sprint(i))
	}
}

// Keys that Python calls equal are one; the first of them stays.
func testDictEqualKeys(t *testing.T, p driver.Place) {
	d, ctx := newDict(t, p), within(t, timeLimit)
	for i, k := range []pyvalue.Value{int64(1), true, 1.0, complex(1, 0)} {
		must(t, d.Set(ctx, item(t, k), item(t, i)))
	}
	all(t, d, "1 3")
	for i, k := range []pyvalue.Value{"1", math.Copysign(0, -1), false, []byte("1"), pyvalue.Tuple{int64(1)}} {
		must(t, d.Set(ctx, item(t, k), item(t, i)))
	}
	all(t, d, "1 3 '1' 0 -0.0 2 b'1' 3 (1,) 4")
}

func testDictConditional(t *testing.T, p driver.Place) {
	d, ctx, key := newDict(t, p), within(t, timeLimit), item(t, "k")
	ok, err := d.CompareAndSwap(ctx, key, item(t, nil), item(t, 1))
	is(t, "swap of nothing", ok, err, false)
	v, err := d.SetDefault(ctx, key, item(t, 1))
	reads(t, "setdefault", v, err, "1")
	v, err = d.SetDefault(ctx, key, item(t, 2))
	reads(t, "setdefault", v, err, "1")
	ok, err = d.CompareAndSwap(ctx, key, item(t, 2), item(t, 3))
	is(t, "swap of another", ok, err, false)
	ok, err = d.CompareAndSwap(ctx, key, item(t, 1.0), item(t, 3)) // 1 == 1.0
	is(t, "swap", ok, err, true)
	all(t, d, "'k' 3")
}

func testDictVersions(t *testing.T, p driver.Place) {
	d, ctx, key := newDict(t, p), within(t, timeLimit), item(t, "k")
	set := func(version uint64, v []byte, want bool) {
		t.Helper()
		ok, err := d.SetVersion(ctx, key, v, version)
		is(t, fmt.Sprintf("set to %s from version %d", text(t, v), version), ok, err, want)
	}
	version := func() uint64 {
		t.Helper()
		v, err := d.Get(ctx, key)
		must(t, err)
		return v.Version
	}
	set(7, item(t, 1), false)
	set(0, item(t, 1), true)
	first := version()
	set(0, item(t, 2), false)
	must(t, d.Set(ctx, key, item(t, 1))) // the same value is a change, too
	set(first, item(t, 2), false)
	second := version()
	if first == 0 || second <= first {
		t.Errorf("versions %d, %d", first, second)
	}
	set(second, item(t, 3), true)
	third := version()
	set(third+1, nil, false)
	set(third, nil, true)
	all(t, d, "")
	set(third, item(t, 4), false)
	set(0, item(t, 5), true)
	if v := version(); v <= third {
		t.Errorf("version %d of an entry that was deleted after version %d", v, third)
	}
	_, err := d.Delete(ctx, key)
	must(t, err)
	set(version0(t, d, key), item(t, 6), true)
	must(t, d.Clear(ctx))
	set(version0(t, d, key), item(t, 7), true)
}

// version0 is the version of an entry that is not there.
func version0(t *testing.T, d complete.Dict, key []byte) uint64 {
	t.Helper()
	_, err := d.Get(within(t, timeLimit), key)
	wantErr(t, "get of nothing", err, mperr.ErrNoKey)
	return 0
}

// sums are what Add does: the value before (nil: none), what is added, and the
// value then, or "" where there is no such sum.
var sums = []struct {
	before, delta pyvalue.Value
	after         string
}{
	{int64(1), int64(2), "3"},
	{int64(1), 0.5, "1.5"},
	{1.5, int64(-2), "-0.5"},
	{int64(math.MaxInt64), int64(1), "9223372036854775808"},
	{int64(math.MinInt64), int64(-1), "-9223372036854775809"},
	{true, int64(1), "2"},
	{complex(1, 2), int64(1), "(2+2j)"},
	{"ab", "c", "'abc'"},
	{[]byte("ab"), []byte("c"), "b'abc'"},
	{[]byte("ab"), &pyvalue.ByteArray{B: []byte("c")}, "b'abc'"},
	{&pyvalue.ByteArray{B: []byte("ab")}, []byte("c"), "bytearray(b'abc')"},
	{&pyvalue.List{Items: []pyvalue.Value{int64(1)}}, &pyvalue.List{Items: []pyvalue.Value{"x"}}, "[1, 'x']"},
	{pyvalue.Tuple{int64(1)}, pyvalue.Tuple{int64(2)}, "(1, 2)"},
	{"ab", int64(1), ""},
	{nil, int64(1), ""},
	{&pyvalue.Dict{}, &pyvalue.Dict{}, ""},
}

func testDictSums(t *testing.T, p driver.Place) {
	d, ctx := newDict(t, p), within(t, timeLimit)
	v, err := d.Add(ctx, item(t, "new"), item(t, 5))
	reads(t, "the first of a sum", v, err, "5")
	_, err = d.Add(ctx, item(t, "none"), item(t, nil))
	wantErr(t, "nothing + None", err, mperr.ErrType)
	ok, err := d.Has(ctx, item(t, "none"))
	if must(t, err); ok {
		t.Error("a sum that failed has made an entry")
	}
	big := new(big.Int).Lsh(big.NewInt(1), 2000)
	must(t, d.Set(ctx, item(t, "big"), item(t, big)))
	_, err = d.Add(ctx, item(t, "big"), item(t, 1.5))
	wantErr(t, "2**2000 + 1.5", err, mperr.ErrValue)
	for _, s := range sums {
		key := item(t, "k")
		must(t, d.Set(ctx, key, item(t, s.before)))
		what := pyvalue.Repr(s.before) + " + " + pyvalue.Repr(s.delta)
		v, err := d.Add(ctx, key, item(t, s.delta))
		now, gone := d.Get(ctx, key)
		must(t, gone)
		if s.after == "" {
			wantErr(t, what, err, mperr.ErrType)
			reads(t, "after "+what, now.Value, nil, pyvalue.Repr(s.before))
			continue
		}
		reads(t, what, v, err, s.after)
		reads(t, "after "+what, now.Value, nil, s.after)
	}
}

// crowd runs f often on many goroutines.
func crowd(t *testing.T, members, each int, f func(ctx context.Context) error) {
	t.Helper()
	ctx := within(t, 3*timeLimit)
	var all sync.WaitGroup
	for range members {
		all.Go(func() {
			for range each {
				if err := f(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func testDictCrowd(t *testing.T, p driver.Place) {
	d, key, one := newDict(t, p), item(t, "k"), item(t, 1)
	crowd(t, 10, 1000, func(ctx context.Context) error {
		_, err := d.Add(ctx, key, one)
		return err
	})
	all(t, d, "'k' 10000")
}

// Those who lose a race know it, and somebody always wins.
func testDictContention(t *testing.T, p driver.Place) {
	d, key, one := newDict(t, p), item(t, "k"), item(t, 1)
	must(t, d.Set(within(t, timeLimit), key, item(t, 0)))
	crowd(t, 5, 50, func(ctx context.Context) error {
		for {
			now, err := d.Get(ctx, key)
			if err != nil {
				return err
			}
			next, err := sum(now.Value, one)
			if err != nil {
				return err
			}
			if ok, err := d.SetVersion(ctx, key, next, now.Version); ok || err != nil {
				return err
			}
		}
	})
	all(t, d, "'k' 250")
}

func testDictCancelled(t *testing.T, p driver.Place) {
	d := newDict(t, p)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, "set", d.Set(ended, item(t, "k"), item(t, 1)), context.Canceled)
	_, err := d.Add(ended, item(t, "k"), item(t, 1))
	wantErr(t, "add", err, context.Canceled)
	all(t, d, "")
	wantErr(t, "set all", d.SetAll(ended, items(t, "k"), items(t, 1)), context.Canceled)
	all(t, d, "")
}

func testNamespace(t *testing.T, p driver.Place) {
	d, ctx := open[complete.Dict](t, p, driver.Spec{Kind: driver.KindNamespace}), within(t, timeLimit)
	_, err := d.Get(ctx, item(t, "x"))
	wantErr(t, "get of nothing", err, mperr.ErrNoKey)
	must(t, d.Set(ctx, item(t, "x"), item(t, 1)))
	must(t, d.Set(ctx, item(t, "y"), item(t, "two")))
	v, err := d.Add(ctx, item(t, "x"), item(t, 2))
	reads(t, "add", v, err, "3")
	now, err := d.Get(ctx, item(t, "x"))
	must(t, err)
	ok, err := d.SetVersion(ctx, item(t, "x"), item(t, 4), now.Version)
	is(t, "set by version", ok, err, true)
	all(t, d, "'x' 4 'y' 'two'")
	ok, err = d.Delete(ctx, item(t, "x"))
	is(t, "delete", ok, err, true)
	n, err := d.Len(ctx)
	is(t, "len", n, err, 1)
}
