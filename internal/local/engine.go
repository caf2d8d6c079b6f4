package local

import (
	"unsafe"

	"multiproc/internal/arena"
	"multiproc/internal/shm"
)

// Engine is an object whose structure in memory callers who know its types use
// themselves. What never waits runs under a Hold, all else between Enter and Exit.
type Engine interface {
	Hold() *Hold
	Enter() bool
	Exit()
	Named(err error) error
}

// Named says of which object an error is.
func (o *object) Named(err error) error { return o.named(err) }

// structure is what grows in an arena.
type structure interface {
	Attach(seg *shm.Segment, base unsafe.Pointer) error
	Detach()
	Abort()
}

// open makes o a handle to what is in seg, which it takes over, and s its structure.
func (o *object) open(p *Place, seg *shm.Segment, s structure) error {
	if err := wants(seg, arena.FirstWindow); err != nil {
		return err
	}
	o.place = p
	if err := o.Adopt(seg, arena.FirstWindow, s.Abort, nil); err != nil {
		return err
	}
	if err := s.Attach(seg, o.Mem); err != nil {
		_ = o.Memory.Close()
		return err
	}
	o.Rest.Detach = s.Detach
	o.UseHold()
	return nil
}
