package dict

import (
	"sync/atomic"
	"testing"

	"multiproc/internal/arena"
	"multiproc/internal/cell"
	"multiproc/internal/shm"
)

// newDict makes a dict.
func newDict(t testing.TB, c Config) (*Dict, *shm.Segment) {
	t.Helper()
	seg, err := shm.Create(shm.Header{Kind: shm.KindDict, ID: shm.NewID(), Size: Size(), Params: c.Params()})
	if err != nil {
		t.Fatal(err)
	}
	d := attach(t, seg)
	t.Cleanup(func() {
		d.Detach()
		if err := seg.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, seg
}

func attach(t testing.TB, seg *shm.Segment) *Dict {
	t.Helper()
	base, err := seg.Map(0, arena.FirstWindow)
	if err != nil {
		t.Fatal(err)
	}
	d := &Dict{}
	if err := d.Attach(seg, base); err != nil {
		t.Fatal(err)
	}
	return d
}

// put is Set, by the short way where there is one.
func put(d *Dict, k *Key, v cell.Cell) (bool, error) {
	if k.equal.Word != 0 && v.Word != 0 && d.SetWord(k.equal.Word, v.Word) {
		shortWays.Add(1)
		return true, nil
	}
	return d.Set(ctx, k, v, Always)
}

// shortWays is how often put went it.
var shortWays atomic.Int64
