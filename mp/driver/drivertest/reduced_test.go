package drivertest_test

import (
	"context"
	"errors"
	"testing"

	"multiproc/internal/complete"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

// reduced is a twin whose objects have what every place must have, and nothing
// else; with watching, also what tells how a change is made.
type reduced struct {
	*drivertest.Session
	watching bool
}

func (p reduced) Open(ctx context.Context, spec driver.Spec) (driver.Object, error) {
	if m, ok := spec.Lock.(struct{ driver.Mutex }); ok {
		spec.Lock = m.Mutex
	}
	o, err := p.Session.Open(ctx, spec)
	if err != nil {
		return nil, err
	}
	return p.reduce(o), nil
}

func (p reduced) Extract(ctx context.Context, ref []byte) (driver.Object, error) {
	o, err := p.Session.Extract(ctx, ref)
	if err != nil {
		return nil, err
	}
	return p.reduce(o), nil
}

func (p reduced) reduce(o driver.Object) driver.Object {
	switch o := o.(type) {
	case complete.Dict:
		if p.watching {
			return struct {
				driver.Dict
				driver.DictWatcher
			}{o, o}
		}
		return struct{ driver.Dict }{o}
	case complete.List:
		if p.watching {
			return struct {
				driver.List
				driver.ListEditor
				driver.ListArranger
				driver.ListWatcher
			}{o, o, o, o}
		}
		return struct{ driver.List }{o}
	case complete.Set:
		return struct{ driver.Set }{o}
	case complete.Value:
		return struct{ driver.Value }{o}
	case complete.Queue:
		return struct{ driver.Queue }{o}
	case complete.Cond:
		return struct{ driver.Cond }{o}
	case complete.RWMutex:
		return struct{ driver.RWMutex }{o}
	case complete.Mutex:
		return struct{ driver.Mutex }{o}
	}
	return o
}

// What is built means the same as what a place offers itself.
func TestDifferentialReduced(t *testing.T) {
	drivertest.Differential(t, 1200, drivertest.Memory(), reduced{Session: drivertest.Memory()})
}

func TestDifferentialReducedWatching(t *testing.T) {
	drivertest.Differential(t, 600, drivertest.Memory(), reduced{drivertest.Memory(), true})
}

func TestReduced(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) driver.Place {
		s := drivertest.NewStore()
		drivertest.CountWaits(t, s.Waits)
		return reduced{Session: s.Join()}
	})
}

// The calls that cannot be built say so at once, and which they are.
func TestReducedLacks(t *testing.T) {
	p := reduced{Session: drivertest.Memory()}
	for kind, want := range map[driver.Kind]int{
		driver.KindDict: 5, driver.KindList: 12, driver.KindSet: 4, driver.KindValue: 0,
		driver.KindQueue: 10, driver.KindMutex: 1, driver.KindCond: 1, driver.KindRWMutex: 1,
	} {
		bare, err := p.Open(t.Context(), driver.Spec{Kind: kind, Init: []byte{0}})
		if err != nil {
			t.Fatal(err)
		}
		o, _, ok := complete.Of(kind, bare)
		if lacks := complete.Lacks(o); !ok || len(lacks) != want {
			t.Errorf("%v lacks %v, want %d methods", o, lacks, want)
		}
		if complete.Bare(o) != bare {
			t.Errorf("the bare object of %v is another", o)
		}
		if d, ok := o.(complete.Dict); ok {
			for _, err := range d.Watch(t.Context()) {
				if m := (*complete.Missing)(nil); !errors.As(err, &m) || m.Method != "Watch" || !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("watch: %v", err)
				}
			}
		}
	}
}

// An object that offers everything is not wrapped.
func TestComplete(t *testing.T) {
	p := drivertest.Memory()
	for _, kind := range []driver.Kind{
		driver.KindDict, driver.KindList, driver.KindSet, driver.KindValue,
		driver.KindQueue, driver.KindMutex, driver.KindCond, driver.KindRWMutex,
	} {
		own, err := p.Open(t.Context(), driver.Spec{Kind: kind, Init: []byte{0}})
		if err != nil {
			t.Fatal(err)
		}
		if o, _, ok := complete.Of(kind, own); !ok || o != own {
			t.Errorf("%v became %T", own, o)
		}
	}
}
