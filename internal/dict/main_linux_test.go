package dict

import (
	"testing"

	"multiproc/internal/arena"
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
