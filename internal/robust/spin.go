package robust

import (
	"runtime"
	"sync/atomic"

	"multiproc/internal/fence"
	"multiproc/internal/pin"
)

// spin is a lock among the goroutines of this process that are pinned. It is
// held for some ten instructions.
type spin struct{ word uint32 }

// lock takes it. The caller is pinned, once: the pin is let go while the kernel
// has taken the processor from whoever is inside.
func (s *spin) lock() {
	for i := 0; !atomic.CompareAndSwapUint32(&s.word, 0, 1); i++ {
		if i > 100 {
			pin.Off()
			runtime.Gosched()
			pin.On()
			continue
		}
		fence.Pause(1)
	}
}

func (s *spin) unlock() { fence.StoreRelease32(&s.word, 0) }
