//go:build linux

package mp_test

import (
	"context"
	"testing"

	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
)

// Handles to objects in places travel like any others: here through a queue in
// memory, to this process.
func TestPlaceHandlesTravel(t *testing.T) {
	store := drivertest.NewStore()
	e := farEverything(t, store.Join())
	carrier := queue[farThings](t, 0)
	must(t, carrier.Put(t.Context(), e))
	useFar(t, get(carrier.Get(t.Context()))(t))
	checkFar(t, e)
	if n := store.Tickets(); n != 0 {
		t.Errorf("%d references were not opened", n)
	}
}

func init() { mp.RegisterType[*mp.List[int]]("mp_test.Ints") }

func TestPlaceHandleInAny(t *testing.T) {
	l := list(t, drivertest.Memory(), 1, 2)
	carrier := queue[any](t, 0)
	must(t, carrier.Put(t.Context(), map[string]any{"l": l}))
	got := get(carrier.Get(t.Context()))(t).(map[string]any)["l"].(*mp.List[int])
	must(t, closing(t, got).Append(t.Context(), 3))
	if n := get(l.Len(t.Context()))(t); n != 3 {
		t.Errorf("%d elements", n)
	}
}

// A message that is not sent takes its references back.
func TestFailedPutTakesReferencesBack(t *testing.T) {
	store := drivertest.NewStore()
	d := dict[int, int](t, store.Join())
	carrier := queue[*mp.Dict[int, int]](t, 1)
	must(t, carrier.Put(t.Context(), d))
	wantErr(t, "TryPut", carrier.TryPut(t.Context(), d), mp.ErrFull)
	wantErr(t, "Put", carrier.Put(within(t, short), d), context.DeadlineExceeded)
	if n := store.Tickets(); n != 1 {
		t.Errorf("%d references, want that of the message in the queue", n)
	}
	closing(t, get(carrier.Get(t.Context()))(t))
	must(t, d.Close())
	wantErr(t, "a closed handle", carrier.Put(t.Context(), d), mp.ErrClosed)
}

// CountKeys is the length of a dict that a child is given.
var CountKeys = mp.Func(func(ctx context.Context, d *mp.Dict[int, int]) (int, error) { return d.Len(ctx) }, mp.Named("count-keys"))

// FillDict sets keys of a dict that it finds in a queue, and says so in another
// queue, both in a place.
var FillDict = mp.Proc(func(ctx context.Context, f fillDict) error {
	d, err := f.Work.Get(ctx)
	if err != nil {
		return err
	}
	for i := range f.N {
		if _, err := d.Add(ctx, i, 1); err != nil {
			return err
		}
	}
	return f.Done.Put(ctx, d)
}, mp.Named("fill-dict"))

type fillDict struct {
	N    int
	Work *mp.Queue[*mp.Dict[int, int]] // in memory
	Done *mp.Queue[*mp.Dict[int, int]] // in the place
}

// A child reaches the place by its handles alone.
func TestPlaceHandlesInChildren(t *testing.T) {
	p, ctx := served(t), t.Context()
	d := dict[int, int](t, p)
	f := fillDict{50, queue[*mp.Dict[int, int]](t, 0), queue[*mp.Dict[int, int]](t, 0, mp.In(p))}
	var running []mp.Child
	for range 3 {
		must(t, f.Work.Put(ctx, d))
		running = append(running, start(t, FillDict, f))
	}
	for _, c := range running {
		finish(t, c)
		same := closing(t, get(f.Done.Get(ctx))(t))
		if n := get(same.Len(ctx))(t); n != 50 {
			t.Errorf("%d keys", n)
		}
	}
	for e, err := range d.All(ctx) {
		must(t, err)
		if e.Value != 3 {
			t.Errorf("key %d is %d", e.Key, e.Value)
		}
	}
}

// A child that cannot reach the place says so.
func TestPlaceOutOfReach(t *testing.T) {
	d := dict[int, int](t, drivertest.Memory())
	_, err := CountKeys.Run(t.Context(), d)
	wantErr(t, "the memory of another process", err, mp.ErrForeign)
	wantText(t, "the memory of another process", err, "memory")
}

// References that nobody made.
func TestSpoiltReferences(t *testing.T) {
	for _, ref := range [][]byte{{3}, {3, 200, 'x'}, {3, 1, 'x'}, {3, 0}, append([]byte{3, 17}, "drivertest.memory"...)} {
		if err := mp.ArriveBy(&mp.List[int]{}, ref); err == nil {
			t.Errorf("% x: opened", ref)
		}
	}
	wantText(t, "a driver that is not there", mp.ArriveBy(&mp.List[int]{}, []byte{3, 1, 'x'}), `"x"`, "import")
	wantErr(t, "cut short", mp.ArriveBy(&mp.List[int]{}, []byte{3, 9}), mp.ErrCorrupt)
	wantErr(t, "a handle that lives in memory only", mp.ArriveBy(&mp.Counter{}, []byte{3, 1, 'x'}), mp.ErrType)
}
