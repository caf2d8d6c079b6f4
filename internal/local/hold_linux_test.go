package local

import (
	"runtime"
	"testing"
	"time"

	"multiproc/internal/shm"
)

// Memory stays mapped while a call holds it, after Close, too, and no longer.
func TestHold(t *testing.T) {
	seg, err := Create(shm.NewID(), shm.KindQueue, [16]byte{}, shm.PageSize(), [4]uint64{})
	if err != nil {
		t.Fatal(err)
	}
	m := &Memory{}
	if err := m.Adopt(seg, shm.PageSize(), func() {}, nil); err != nil {
		t.Fatal(err)
	}
	m.UseHold()
	h := m.Hold()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if m.Hold() != nil {
		t.Error("a closed handle can be held")
	}
	for range 3 {
		runtime.GC()
	}
	if seg.Mapped() == 0 {
		t.Fatal("unmapped under a call")
	}
	runtime.KeepAlive(h)
	for end := time.Now().Add(30 * time.Second); seg.Mapped() > 0; runtime.GC() {
		if time.Now().After(end) {
			t.Fatal("not unmapped when the call was over")
		}
	}
}
