package store

import (
	"sync/atomic"
	"time"
)

// epochs knows who is inside of objects that may contain references. While an
// object hands a reference on, it may stand in no place for a moment: the
// object has let go of it, and the store has not heard of it. So a sweep that
// has looked everywhere waits for all who were inside while it looked: by then
// what they carry is somewhere, or has been touched.
type epochs struct {
	epoch  atomic.Uint32
	inside [2]atomic.Int64 // by the last bit of the epoch in which they came
}

// enter is called before an object of which refers is set is called; leave,
// with its result, after that.
func (p *epochs) enter() (epoch uint32) {
	for {
		epoch = p.epoch.Load()
		p.inside[epoch&1].Add(1)
		if p.epoch.Load() == epoch {
			return epoch
		}
		p.inside[epoch&1].Add(-1)
	}
}

func (p *epochs) leave(epoch uint32) { p.inside[epoch&1].Add(-1) }

// passed waits until all who were inside when it was called have left. It gives
// up soon. There is one caller at a time.
func (p *epochs) passed() bool {
	epoch := p.epoch.Load()
	if !p.empties(epoch + 1) { // those of an attempt that was given up
		return false
	}
	p.epoch.Store(epoch + 1)
	return p.empties(epoch)
}

func (p *epochs) empties(epoch uint32) bool {
	for pause := time.Microsecond; p.inside[epoch&1].Load() > 0; pause *= 2 {
		if pause > maxPassing {
			return false
		}
		time.Sleep(pause)
	}
	return true
}

// maxPassing is the last pause, of which each is as long as all before it.
const maxPassing = 16 * time.Millisecond

// withinEpoch runs f, which calls an object or lets it call back.
func (s *Store) withinEpoch(f func()) {
	epoch := s.epochs.enter()
	defer s.epochs.leave(epoch)
	f()
}

// Within runs f, which is a part of o that no call has asked for: a timer's. A panic
// breaks the object.
func (s *Store) Within(o Object, what string, f func()) {
	s.withinEpoch(func() {
		defer func() {
			if v := recover(); v != nil {
				s.Break(o, what, v)
			}
		}()
		f()
	})
}
