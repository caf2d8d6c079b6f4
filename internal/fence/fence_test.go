package fence

import (
	"sync/atomic"
	"testing"
)

func TestStoreRelease(t *testing.T) {
	var words [3]uint64
	StoreRelease64(&words[1], 0x1122334455667788)
	if words != [3]uint64{0, 0x1122334455667788, 0} {
		t.Errorf("StoreRelease64 wrote %x", words)
	}
	var halves [3]uint32
	StoreRelease32(&halves[1], 0x11223344)
	if halves != [3]uint32{0, 0x11223344, 0} {
		t.Errorf("StoreRelease32 wrote %x", halves)
	}
	Pause(0)
	Pause(100)
}

// One goroutine writes data and then a flag; the other must never see the
// flag without the data.
func TestReleasePublishes(t *testing.T) {
	var data, flag uint64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := uint64(1); i <= 100_000; i++ {
			atomic.StoreUint64(&data, i)
			StoreRelease64(&flag, i)
		}
	}()
	for {
		f := atomic.LoadUint64(&flag)
		if d := atomic.LoadUint64(&data); d < f {
			t.Fatalf("saw flag %d but data %d", f, d)
		}
		if f == 100_000 {
			break
		}
	}
	<-done
}

func BenchmarkStoreRelease64(b *testing.B) {
	var w uint64
	for i := range uint64(b.N) {
		StoreRelease64(&w, i)
	}
}

func BenchmarkAtomicStore64(b *testing.B) {
	var w uint64
	for i := range uint64(b.N) {
		atomic.StoreUint64(&w, i)
	}
}

func BenchmarkPause(b *testing.B) { Pause(uint32(b.N)) }
