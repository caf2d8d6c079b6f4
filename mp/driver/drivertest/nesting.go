package drivertest

import (
	"context"
	"errors"
	"testing"

	"multiproc/internal/codec"
	"multiproc/internal/complete"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var nestingTests = []test{
	{"embed and extract", testEmbed},
	{"in every container", testContainers},
	{"alive inside", testAliveInside},
	{"taken out", testTakenOut},
	{"garbage", testExtractGarbage},
	{"references", testReferences},
}

// link is a handle as package mp has them, of which only the place knows more.
type link struct{ obj driver.Object }

// MultiprocHandle marks the type for interchange.
func (*link) MultiprocHandle() codec.Carrier { return nil }

// session carries links into and out of values of a place.
type session struct {
	ctx   context.Context
	place driver.Place
}

func (s session) Export(h codec.Handle) ([]byte, error) { return h.(*link).obj.Embed(s.place) }

func (s session) Import(h codec.Handle, ref []byte) (err error) {
	h.(*link).obj, err = s.place.Extract(s.ctx, ref)
	return err
}

// linked is a value that refers to o.
func linked(t *testing.T, p driver.Place, o driver.Object) []byte {
	t.Helper()
	plan, err := interchange.For[[]*link]()
	must(t, err)
	v := []*link{{o}}
	b, err := plan.Append(nil, &v, session{within(t, timeLimit), p})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	must(t, err)
	return b
}

// extracted is the object that a value refers to.
func extracted(t *testing.T, p driver.Place, b []byte) driver.Object {
	t.Helper()
	plan, err := interchange.For[[]*link]()
	must(t, err)
	var v []*link
	must(t, plan.Decode(b, &v, session{within(t, timeLimit), p}))
	if len(v) != 1 {
		t.Fatalf("%d objects", len(v))
	}
	return closing[driver.Object](t, v[0].obj)
}

func testEmbed(t *testing.T, p driver.Place) {
	for _, kind := range kinds(t, p) {
		o := open[driver.Object](t, p, spec(kind))
		mark(t, o)
		ref, err := o.Embed(p)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		must(t, err)
		again, err := p.Extract(within(t, timeLimit), ref)
		must(t, err)
		seen(t, "extracted", closing[driver.Object](t, again))
		must(t, again.Close())
		seen(t, "after the second handle was closed", o)
	}
}

// put puts a value into a container; take brings it back.
var containers = map[driver.Kind]struct {
	put  func(context.Context, driver.Object, []byte) error
	take func(context.Context, driver.Object) ([]byte, error)
}{
	driver.KindQueue: {
		func(ctx context.Context, o driver.Object, v []byte) error { return o.(complete.Queue).Put(ctx, v) },
		func(ctx context.Context, o driver.Object) ([]byte, error) { return o.(complete.Queue).Get(ctx) },
	},
	driver.KindDict: {
		func(ctx context.Context, o driver.Object, v []byte) error {
			return o.(complete.Dict).Set(ctx, []byte{0}, v)
		},
		func(ctx context.Context, o driver.Object) ([]byte, error) {
			return o.(complete.Dict).Pop(ctx, []byte{0})
		},
	},
	driver.KindList: {
		func(ctx context.Context, o driver.Object, v []byte) error { return o.(complete.List).Append(ctx, v) },
		func(ctx context.Context, o driver.Object) ([]byte, error) { return o.(complete.List).Pop(ctx, 0) },
	},
	driver.KindValue: {
		func(ctx context.Context, o driver.Object, v []byte) error { return o.(complete.Value).Set(ctx, v) },
		func(ctx context.Context, o driver.Object) ([]byte, error) {
			v, err := o.(complete.Value).Get(ctx)
			return v.Value, err
		},
	},
}

func testContainers(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for kind, c := range containers {
		if !offers(t, p, kind) {
			continue
		}
		for _, inner := range kinds(t, p) {
			box, o := open[driver.Object](t, p, spec(kind)), open[driver.Object](t, p, spec(inner))
			must(t, c.put(ctx, box, linked(t, p, o)))
			v, err := c.take(ctx, box)
			must(t, err)
			mark(t, o)
			seen(t, "from a "+string(kind), extracted(t, p, v))
		}
	}
}

// What is in a container needs no other handle.
func testAliveInside(t *testing.T, p driver.Place) {
	if !offers(t, p, driver.KindDict) || !offers(t, p, driver.KindList) {
		t.Skipf("%v does not offer dicts and lists", p)
	}
	ctx := within(t, timeLimit)
	outer, inner, leaf := newList(t, p), newDict(t, p), newList(t, p)
	must(t, leaf.Append(ctx, item(t, "mark")))
	must(t, inner.Set(ctx, item(t, "leaf"), linked(t, p, leaf)))
	must(t, leaf.Close())
	must(t, outer.Append(ctx, linked(t, p, inner)))
	must(t, inner.Close())
	for range 3 {
		v, err := outer.Get(ctx, 0)
		must(t, err)
		d := extracted(t, p, v.Value).(driver.Dict)
		v, err = d.Get(ctx, item(t, "leaf"))
		must(t, err)
		l := extracted(t, p, v.Value)
		seen(t, "a list in a dict in a list", l)
		must(t, d.Close())
		must(t, l.Close())
	}
}

// What was taken out of its last container lives until the taker has it.
func testTakenOut(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for kind, c := range containers {
		if !offers(t, p, kind) || !offers(t, p, driver.KindList) {
			continue
		}
		box, l := open[driver.Object](t, p, spec(kind)), newList(t, p, "mark")
		must(t, c.put(ctx, box, linked(t, p, l)))
		must(t, l.Close())
		v, err := c.take(ctx, box)
		must(t, err)
		must(t, box.Close())
		seen(t, "taken out of a "+string(kind), extracted(t, p, v))
	}
}

func testExtractGarbage(t *testing.T, p driver.Place) {
	for _, ref := range [][]byte{nil, {}, {1}, make([]byte, 8), []byte("\xff\xff\xff\xff\xff\xff\xff\xfflist"), make([]byte, 1000)} {
		if o, err := p.Extract(within(t, timeLimit), ref); err == nil {
			t.Errorf("% x refers to %v", ref, o)
			must(t, o.Close())
		}
	}
}

func testReferences(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for _, kind := range kinds(t, p) {
		o := open[driver.Object](t, p, spec(kind))
		mark(t, o)
		name, ref, err := o.Reference(ctx)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		must(t, err)
		far, err := driver.Open(ctx, name, ref)
		must(t, err)
		seen(t, "by reference", closing[driver.Object](t, far))

		o = open[driver.Object](t, p, spec(kind))
		if held(kind) {
			continue // a lock is not held any more when its handle is closed
		}
		mark(t, o)
		name, ref, err = o.Reference(ctx)
		must(t, err)
		must(t, o.Close())
		far, err = driver.Open(ctx, name, ref)
		must(t, err)
		seen(t, "by reference, after the handle was closed", closing[driver.Object](t, far))
	}
}

// testStrangers checks that places keep their objects apart.
func testStrangers(t *testing.T, openPlace func(t *testing.T) driver.Place) {
	p, q := openPlace(t), openPlace(t)
	for _, kind := range kinds(t, p) {
		s := spec(kind)
		s.Name = "same"
		s.Name += string(kind)
		o := open[driver.Object](t, p, s)
		_, err := o.Embed(q)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		wantErr(t, "embed in another place", err, mperr.ErrForeign)
		mark(t, o)
		if offers(t, q, kind) && same(within(t, timeLimit), open[driver.Object](t, q, s)) {
			t.Errorf("%v is in %v too", o, q)
		}
	}
}
