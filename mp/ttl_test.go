//go:build linux

package mp_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

// timeless is a place whose dicts have no time to live.
type timeless struct{ *drivertest.Session }

func (p timeless) Open(ctx context.Context, spec driver.Spec) (driver.Object, error) {
	o, err := p.Session.Open(ctx, spec)
	if err != nil {
		return nil, err
	}
	return struct{ driver.Dict }{o.(driver.Dict)}, nil
}

func TestTTLOptions(t *testing.T) {
	m := drivertest.Memory()
	ttl := mp.WithTTL(time.Minute)
	wantText(t, "no time", get2(mp.NewDict[int, int](mp.WithTTL(0))), "new dict", "WithTTL(0s)")
	wantText(t, "less than no time", get2(mp.NewDict[int, int](mp.In(m), mp.WithTTL(-1))), "WithTTL(-1ns)")
	for what, err := range map[string]error{
		"set": get2(mp.NewSet[int](ttl)), "namespace": get2(mp.NewNamespace(ttl)), "value": get2(mp.NewValue(1, ttl)),
		"queue": get2(mp.NewQueue[int](1, ttl)), "queue in a place": get2(mp.NewQueue[int](1, ttl, mp.In(m))),
		"list": get2(mp.NewList[int](ttl, mp.In(m))), "mutex": get2(mp.NewMutex(ttl)),
	} {
		wantText(t, "a time to live of a "+what, err, "new ", "WithTTL", "dicts")
	}
	_, _, err := mp.Pipe[int, int](ttl)
	wantText(t, "a time to live of a pipe", err, "new pipe", "WithTTL", "dicts")
	err = get2(mp.NewDict[int, int](ttl, mp.In(timeless{m})))
	wantErr(t, "a place that has none", err, errors.ErrUnsupported)
	wantText(t, "a place that has none", err, "WithTTL", "memory", "managers")
}

// outwaited waits until a key is not there.
func outwaited[K comparable, V any](ctx context.Context, d *mp.Dict[K, V], key K) error {
	for {
		if _, err := d.Get(ctx, key); err != nil {
			if errors.Is(err, mp.ErrNoKey) {
				return nil
			}
			return err
		}
	}
}

func TestTTL(t *testing.T) {
	for name, opts := range map[string][]mp.Option{"memory": nil, "place": {mp.In(drivertest.Memory())}} {
		t.Run(name, func(t *testing.T) {
			testTTL(t, 7, 8, opts...)
			testTTL(t, "seven", "eight", opts...)
			testTTL(t, [2]int{7, 7}, [2]int{8, 8}, opts...)
		})
	}
}

func testTTL[K comparable](t *testing.T, brief, long K, opts ...mp.Option) {
	ctx := t.Context()
	plain := closing(t, get(mp.NewDict[K, int](opts...))(t))
	wantErr(t, "SetFor without WithTTL", plain.SetFor(ctx, brief, 1, time.Hour), errors.ErrUnsupported)

	d := closing(t, get(mp.NewDict[K, int](append(opts, mp.WithTTL(2*time.Millisecond))...))(t))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(d.SetFor(ctx, long, 1, math.MaxInt64))
	must(d.Set(ctx, brief, 2))
	must(outwaited(ctx, d, brief))
	if has, err := d.Has(ctx, brief); has || err != nil {
		t.Errorf("Has %v, %v", has, err)
	}
	if n, err := d.Len(ctx); n != 1 || err != nil {
		t.Errorf("Len %d, %v", n, err)
	}
	for e, err := range d.All(ctx) {
		if err != nil || e.Key != long {
			t.Errorf("All has %v, %v", e, err)
		}
	}
	all, err := d.Copy(ctx)
	if len(all) != 1 || all[long] != 1 || err != nil {
		t.Errorf("Copy %v, %v", all, err)
	}
	must(d.SetBatch(ctx, map[K]int{long: 5}))
	must(d.Update(ctx, long, func(v *int) error { *v++; return nil }))
	must(outwaited(ctx, d, long)) // for it has the time of the dict again
	_, _, err = d.PopItem(ctx)
	wantErr(t, "PopItem", err, mp.ErrNoKey)
	wantErr(t, "SetFor of nothing", d.SetFor(ctx, brief, 1, 0), mp.ErrValue)
}

var Outwait = mp.Proc(func(ctx context.Context, d *mp.Dict[int, int]) error { return outwaited(ctx, d, 1) }, mp.Named("outwait"))

// What is over for one process is over for all: they have one clock.
func TestTTLOfProcesses(t *testing.T) {
	d := closing(t, get(mp.NewDict[int, int](mp.WithTTL(time.Hour)))(t))
	for range 5 {
		if err := d.SetFor(t.Context(), 1, 1, 5*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		p, err := Outwait.Start(t.Context(), d)
		if err == nil {
			err = p.Wait(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		if has, err := d.Has(t.Context(), 1); has || err != nil {
			t.Errorf("another process found it gone, this one has it: %v, %v", has, err)
		}
	}
}
