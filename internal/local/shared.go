package local

import (
	"sync"
	"unsafe"

	"multiproc/internal/shm"
)

// part is what a process has of an object, for all its handles to that together: a
// lock that any of them gives back, say. It touches the object's memory.
type part interface {
	// idle reports whether nothing is held by the process.
	idle() bool
	// detach is called before the memory is unmapped.
	detach()
}

// shared is a part, and its mapping: the handles come and go, and what is held
// outlives them.
type shared[P part] struct {
	part    P
	in      *sharing[P]
	seg     *shm.Segment // for the mapping alone, without a descriptor
	handles int          // under in.mu
	gone    bool         // the memory is unmapped; under in.mu
}

// sharing are the parts of one kind of object that this process has.
type sharing[P part] struct {
	size int64 // of the object's memory
	mu   sync.Mutex
	m    map[shm.ID]*shared[P]
}

// of is the process's part of an object, for one more handle; attach makes it if this
// is the first. leave must follow.
func (s *sharing[P]) of(seg *shm.Segment, attach func(body unsafe.Pointer) P) (*shared[P], error) {
	s.mu.Lock()
	p := s.another(seg.ID)
	s.mu.Unlock()
	if p != nil {
		return p, nil
	}
	// Without the lock: to map may wait for handles that were forgotten to be closed.
	fd, err := seg.Dup()
	if err != nil {
		return nil, err
	}
	own, err := shm.Open(fd, shm.Want{Kind: seg.Kind, Family: seg.Family})
	if err != nil {
		return nil, err
	}
	mem, err := own.Map(0, shm.RoundPage(shm.HeaderSize+s.size))
	if err != nil {
		_ = own.Close()
		return nil, err
	}
	own.ReleaseFD()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p = s.another(seg.ID); p != nil {
		_ = own.Close()
		return p, nil
	}
	p = &shared[P]{part: attach(unsafe.Add(mem, shm.HeaderSize)), in: s, seg: own, handles: 1}
	if s.m == nil {
		s.m = map[shm.ID]*shared[P]{}
	}
	s.m[seg.ID] = p
	return p, nil
}

// another counts one more handle, if there is a part. mu is held.
func (s *sharing[P]) another(id shm.ID) *shared[P] {
	p := s.m[id]
	if p != nil {
		p.handles++
	}
	return p
}

// leave is called when a handle is gone.
func (p *shared[P]) leave() {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.handles--
	p.end()
}

// late calls f, which gives back what a closed handle may have, unless the memory is
// unmapped: then nothing is held. It reports whether it is not.
func (p *shared[P]) late(f func()) bool {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	if p.gone {
		return false
	}
	f()
	p.end()
	return true
}

// end gives the memory back if nobody needs it any more. in.mu is held.
func (p *shared[P]) end() {
	if p.gone || p.handles > 0 || !p.part.idle() {
		return
	}
	p.gone = true
	delete(p.in.m, p.seg.ID)
	p.part.detach()
	_ = p.seg.Close()
}
