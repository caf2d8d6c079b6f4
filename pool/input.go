package pool

import (
	"errors"

	"multiproc/mp/executor"
)

// enter waits until there may be another item.
func (s *stream) enter() error {
	for s.full() && !s.shut.Load() {
		s.p.kick()
		<-s.room
	}
	if s.shut.Load() {
		return executor.ErrClosed
	}
	return nil
}

// full reports whether as many items are under way as may be: by their number, or,
// unless the user has said one, by the memory of their arguments.
func (s *stream) full() bool {
	n := int64(s.index) - s.consumed.Load()
	return n >= s.window.Load() || s.c.Window == 0 && s.held.Load() > maxHeld && n >= 2*int64(s.p.o.Workers)
}

// maxHeld is how much memory arguments take, if there are two for each worker.
const maxHeld = 64 << 20

// Reserve implements executor.Stream.
func (s *stream) Reserve() ([]byte, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	size := s.job.ArgSize
	b, err := s.space(size)
	if err != nil {
		s.Close(err)
		return nil, err
	}
	n := max(1, min((b.span.n-b.used)/size, int(s.window.Load()+s.consumed.Load())-s.index, maxItems-b.count))
	return b.span.bytes()[b.used : b.used+n*size], nil
}

// Plain implements executor.Stream.
func (s *stream) Plain() bool { return s.c.Key == nil }

// Commit implements executor.Stream.
func (s *stream) Commit() bool {
	b := s.block
	b.used += s.job.ArgSize
	b.count++
	b.publish()
	s.index++
	if s.p.idle.Load() > 0 || s.index&63 == 0 {
		s.offer()
	}
	return !s.shut.Load()
}

// offer has the pool look for items if a worker would have some.
func (s *stream) offer() {
	if s.p.idle.Load() > 0 || s.p.open.Load() > 0 {
		s.p.kick()
	}
}

// Put implements executor.Stream.
func (s *stream) Put(arg executor.Argument) error {
	if err := s.enter(); err != nil {
		return err
	}
	size := s.job.ArgSize
	b, err := s.space(max(size, s.hint, 0) + argumentHead)
	if err != nil {
		return s.refuse(err)
	}
	at := b.span.bytes()[b.used:]
	from := at[:0]
	if size < 0 {
		from = at[:argumentHead]
	}
	out, err := arg.Append(from)
	switch {
	case errors.Is(err, executor.ErrHandles):
		key := ""
		if s.c.Key != nil {
			key = s.c.Key(arg.Any())
		}
		s.putValue(arg.Value(), key)
		return nil
	case err != nil:
		return s.refuse(err)
	case len(out) > len(at): // it is elsewhere
		if b, err = s.space(len(out)); err != nil {
			return s.refuse(err)
		}
		at = b.span.bytes()[b.used:]
		copy(at, out)
	}
	if size < 0 {
		s.hint = len(out) - argumentHead
		putArgumentSize(at, s.hint)
	}
	if s.c.Key != nil {
		s.putAlone(b, len(out), s.c.Key(arg.Any()))
		return nil
	}
	b.used += len(out)
	b.count++
	s.index++
	b.publish()
	switch {
	case s.job.Deliver != nil:
		s.p.dispatch()
	case s.p.idle.Load() > 0, s.index&63 == 0:
		s.offer()
	}
	return nil
}

const (
	firstBlock = 1 << 10
	blockSize  = 256 << 10
)

// space returns a block that has room for n bytes.
func (s *stream) space(n int) (*block, error) {
	b := s.block
	if b != nil && b.span.n-b.used >= n && b.count < maxItems {
		return b, nil
	}
	size := blockSize
	if b == nil {
		size = firstBlock
	}
	span, err := s.p.memory.alloc(max(size, n))
	if err != nil {
		return nil, err
	}
	s.held.Add(int64(span.n))
	s.p.mu.Lock()
	defer s.p.unlock()
	s.seal()
	s.block = &block{span: span, first: s.index}
	s.blocks = append(s.blocks, s.block)
	return s.block, nil
}

// seal ends the block that is being put into. mu is held.
func (s *stream) seal() {
	if b := s.block; b != nil {
		b.sealed = true
		s.free(b)
		s.block = nil
	}
}

// free gives a block back if nobody needs it. mu is held.
func (s *stream) free(b *block) {
	if b.done() && b.span.seg != nil {
		s.p.memory.release(b.span)
		s.held.Add(-int64(b.span.n))
		b.span = span{}
		s.letIn()
	}
}

// putValue puts an argument with handles in it.
func (s *stream) putValue(v any, key string) {
	s.p.mu.Lock()
	s.seal() // the items of a block follow each other
	r := run{first: s.index, n: 1, value: v, key: key}
	s.index++
	s.waiting(r)
	s.p.fill()
	s.p.unlock()
}

// putAlone puts an item that was written to a block, n bytes of it, so that it can
// be taken out of its turn.
func (s *stream) putAlone(b *block, n int, key string) {
	s.p.mu.Lock()
	r := run{first: s.index, n: 1, block: b, off: b.used, len: n, key: key}
	s.index++
	b.used += n
	b.count++
	b.publish()
	b.taken++ // it is not to be had in the usual way
	b.takenBytes = b.used
	s.waiting(r)
	s.p.fill()
	s.p.unlock()
}

// waiting puts an item that waits for itself. mu is held.
func (s *stream) waiting(r run) {
	if r.key == "" {
		s.values = append(s.values, r)
	} else {
		s.putKeyed(r)
	}
}

// refuse answers an item whose argument cannot be put.
func (s *stream) refuse(err error) error {
	s.p.mu.Lock()
	s.seal()
	s.answer(s.index, err, "", 0)
	s.index++
	s.p.unlock()
	return err
}

// End implements executor.Stream.
func (s *stream) End() {
	s.p.mu.Lock()
	s.seal()
	s.ended, s.total = true, s.index
	if s.closed { // while the last item was put
		s.forget()
	}
	s.settle()
	s.p.fill()
	s.p.unlock()
	s.wake()
}

// letIn wakes a feeder that waits for room.
func (s *stream) letIn() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}
