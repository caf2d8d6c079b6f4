package mp

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"
	"unsafe"

	"multiproc/internal/fdbroker"
	"multiproc/internal/local"
	"multiproc/internal/ring"
	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// Conn is one end of a pipe between two parties: Send puts values of type S
// into it, Recv takes values of type R out of it. Several goroutines and
// processes may use one end at once; each value arrives whole, at one of them.
//
// A Conn that is passed to a child, or sent over a pipe or a queue, moves: the
// sender's handle is closed once the message is out, because the other end
// sees the end of the pipe only when nobody holds this one any more. Clone
// first to keep a handle.
//
// What a sender did before Send happens before what the receiver of that value
// does after Recv.
type Conn[S, R any] struct {
	travels
	memoryOnly
	mem local.Memory
	e   *end
	out elem[S]
	in  elem[R]
}

// The memory of a pipe: two rings, A to B and B to A, and the holders of both
// ends. A one-way pipe leaves one ring unused.
const (
	pipeRing0    = 0
	pipeRing1    = pipeRing0 + ring.ControlSize
	pipeHolders0 = pipeRing1 + ring.ControlSize
	pipeHolders1 = pipeHolders0 + table.HoldersSize
	pipeSize     = pipeHolders1 + table.HoldersSize
)

// The sides of a pipe; the numbers travel in references.
const (
	sideA       = 0
	sideB       = 1
	sideA1      = 2 // receiving end of a one-way pipe
	sideB1      = 3 // sending end of a one-way pipe
	sideOneWay  = 2
	sideEndMask = 1
)

// end is one end of a pipe, without the element types. It is what outlives a
// forgotten Conn, to tell the other side.
type end struct {
	f      *family
	object shm.ID
	number byte
	// Messages that mention handles are taken through this end, out of a ring.
	carries bool
	ring    byte
	send    *ring.Ring // nil where this end only receives
	recv    *ring.Ring // nil where this end only sends
	own     table.Holders
	other   table.Holders

	mu       sync.Mutex // held while release touches the memory
	released bool
}

// Pipe makes a pipe that carries values both ways and returns its two ends.
//
// Cost: some 50 µs; an unused pipe takes two pages of memory at most.
func Pipe[S, R any](opts ...Option) (*Conn[S, R], *Conn[R, S], error) {
	return newPipe[S, R](opts, sideA)
}

// PipeOneWay makes a pipe that carries values one way, from send to recv. The
// calls for the other way return ErrDirection.
func PipeOneWay[T any](opts ...Option) (recv *Conn[None, T], send *Conn[T, None], err error) {
	return newPipe[None, T](opts, sideA1)
}

func newPipe[S, R any](opts []Option, side byte) (*Conn[S, R], *Conn[R, S], error) {
	a, b := &Conn[S, R]{}, &Conn[R, S]{}
	finger, err := a.finger(side)
	if err != nil {
		return nil, nil, fmt.Errorf("new pipe: %w", err)
	}
	if _, err := b.finger(side | 1); err != nil {
		return nil, nil, fmt.Errorf("new pipe: %w", err)
	}
	o, err := memoryOptions(opts)
	if err != nil {
		return nil, nil, fmt.Errorf("new pipe: %w", err)
	}
	bytes := o.bytes
	if !o.given {
		bytes = fitting(defaultBytes(defaultPipeBytes, usable()), func(bytes int64) int64 {
			return pipeData + a.out.config(0, bytes).DataSize() + a.in.config(0, bytes).DataSize()
		})
	}
	ab, ba := a.out.config(0, bytes), a.in.config(0, bytes)
	p, q := ab.Params(), ba.Params()
	f, seg, err := newSegment(shm.KindPipe, finger, pipeData+ab.DataSize()+ba.DataSize(), [4]uint64{p[0], p[1], q[0], q[1]})
	if err != nil {
		return nil, nil, err
	}
	fd, err := seg.Dup()
	if err != nil {
		_ = seg.Close()
		return nil, nil, err
	}
	second, err := shm.Open(fd, shm.Want{Kind: shm.KindPipe, Family: seg.Family, Fingerprint: finger})
	if err != nil {
		_ = seg.Close()
		return nil, nil, err
	}
	if err := a.attach(f, seg, side); err != nil {
		_ = second.Close()
		return nil, nil, err
	}
	if err := b.attach(f, second, side|1); err != nil {
		_ = a.Close()
		return nil, nil, err
	}
	for _, c := range []moving{a, b} {
		if err := c.hold(context.Background(), f.table.Self(), +1); err != nil {
			_, _ = a.Close(), b.Close()
			return nil, nil, err
		}
	}
	a.e.count()
	b.e.count()
	return a, b, nil
}

// pipeData is where the records of a pipe begin in its segment.
var pipeData = shm.RoundPage(shm.HeaderSize + pipeSize)

func (c *Conn[S, R]) kind() shm.Kind { return shm.KindPipe }

// finger is the fingerprint of a pipe of which c is the given side: the same
// for both ends.
func (c *Conn[S, R]) finger(side byte) (sum [16]byte, err error) {
	if c.out, err = newElem[S](); err != nil {
		return sum, err
	}
	if c.in, err = newElem[R](); err != nil {
		return sum, err
	}
	ab, ba := c.out.c.Fingerprint(), c.in.c.Fingerprint()
	if side&sideEndMask == sideB {
		ab, ba = ba, ab
	}
	for i := range sum {
		sum[i] = ab[i] ^ (ba[(i+5)%len(ba)]<<1 | ba[(i+5)%len(ba)]>>7)
	}
	return sum, nil
}

func (c *Conn[S, R]) side() byte {
	if c.e == nil {
		return 0
	}
	return c.e.number
}

func (c *Conn[S, R]) attach(f *family, seg *shm.Segment, side byte) error {
	if side > sideB1 {
		_ = seg.Close()
		return fmt.Errorf("%s %s: side %d: %w", seg.Kind, seg.ID, side, ErrCorrupt)
	}
	e := &end{f: f, number: side, object: seg.ID}
	if err := c.mem.Adopt(seg, pipeData, e.abort, e.release); err != nil {
		return err
	}
	fail := func(err error) error {
		e.released = true // who counted it for us gives it back
		_ = c.Close()
		return err
	}
	cfg := [2]ring.Config{
		ring.FromParams([2]uint64{seg.Params[0], seg.Params[1]}),
		ring.FromParams([2]uint64{seg.Params[2], seg.Params[3]}),
	}
	var rings [2]*ring.Ring
	off := pipeData
	for i := range rings {
		r, err := ring.New(seg, unsafe.Add(c.mem.Body(), pipeRing0+i*ring.ControlSize), off, cfg[i])
		if err != nil {
			return fail(err)
		}
		rings[i] = r
		off += cfg[i].DataSize()
	}
	out, in := 0, 1
	if side&sideEndMask == sideB {
		out, in = 1, 0
	}
	if cfg[out].Fixed != c.out.raw || cfg[in].Fixed != c.in.raw ||
		(c.out.raw && cfg[out].Size != c.out.size) || (c.in.raw && cfg[in].Size != c.in.size) {
		return fail(fmt.Errorf("%s %s: records of another size: %w", seg.Kind, seg.ID, ErrCorrupt))
	}
	if side != sideA1 {
		e.send = rings[out]
	}
	if side != sideB1 {
		e.recv = rings[in]
	}
	e.own.Init(f.table, unsafe.Add(c.mem.Body(), pipeHolders0+int(side&sideEndMask)*table.HoldersSize))
	e.other.Init(f.table, unsafe.Add(c.mem.Body(), pipeHolders0+int(1-side&sideEndMask)*table.HoldersSize))
	gone := func() bool { return !e.other.Any() }
	for _, r := range rings {
		r.SetPeer(gone)
	}
	c.mem.Rest.Detach = func() { rings[0].Detach(); rings[1].Detach() }
	c.out.to = fdbroker.Carrier{Object: seg.ID, Ring: byte(out)}
	e.carries = side != sideB1 && c.in.handles
	e.ring = byte(in)
	c.e = e
	ends.add(e)
	return nil
}

// hold counts handles of a process to this end.
func (c *Conn[S, R]) hold(ctx context.Context, who table.Ref, delta int) error {
	return c.e.own.Add(ctx, who, delta)
}

func (c *Conn[S, R]) carries() (byte, bool) { return c.e.ring, c.e.carries }

// part closes a handle whose end has moved to somebody, who may have no name.
func (c *Conn[S, R]) part(to string) {
	c.mem.MovedTo(to)
	_ = c.Close() // the only error says that it was closed meanwhile
}

// abort wakes those of this process who wait in this handle.
func (e *end) abort() {
	for _, r := range []*ring.Ring{e.send, e.recv} {
		if r != nil {
			r.Abort()
		}
	}
}

// release gives this handle's count back. If it was the last of the end, the
// other side is told.
func (e *end) release() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.released {
		return
	}
	e.released = true
	ends.remove(e)
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	if err := e.own.Add(ctx, e.f.table.Self(), -1); err != nil {
		return
	}
	e.tell()
	e.hold(-1)
}

// releaseTimeout bounds the wait for a process that is stopped in the
// microsecond for which it counts. A process that ends gives back what it holds,
// and must come to its end.
const releaseTimeout = 2 * time.Second

// count makes this process's new handle known.
func (e *end) count() { e.hold(+1) }

func (e *end) hold(delta int) {
	if e.carries {
		e.f.broker.Hold(e.f.table.Self(), fdbroker.Carrier{Object: e.object, Ring: e.ring}, delta)
	}
}

func (e *end) tell() {
	if e.own.Any() {
		return
	}
	if e.send != nil {
		e.send.WakeAll()
	}
	if e.recv != nil {
		e.recv.WakeAll()
	}
}

// ends are the pipe ends that this process holds: when a task is over they are
// given back, so that nobody has to wait for the process to be gone.
var ends endSet

type endSet struct {
	mu sync.Mutex
	m  map[*end]struct{}
}

func (s *endSet) add(e *end) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[*end]struct{}{}
	}
	s.m[e] = struct{}{}
}

func (s *endSet) remove(e *end) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, e)
}

// leaveAll gives back all pipe ends of this process, which is about to exit.
func leaveAll() {
	ends.mu.Lock()
	list := make([]*end, 0, len(ends.m))
	for e := range ends.m {
		list = append(list, e)
	}
	ends.mu.Unlock()
	for _, e := range list {
		e.release()
	}
}

// Clone returns a second handle to the same end, for passing one on and
// keeping one. The end is closed when the last handle to it is.
func (c *Conn[S, R]) Clone() (*Conn[S, R], error) {
	if !c.mem.Enter() {
		return nil, c.mem.ErrClosed()
	}
	defer c.mem.Exit()
	fd, err := c.mem.Seg.Dup()
	if err != nil {
		return nil, err
	}
	d := &Conn[S, R]{out: c.out, in: c.in}
	seg, err := shm.Open(fd, shm.Want{Kind: shm.KindPipe, Family: c.mem.Seg.Family, Fingerprint: c.mem.Seg.Fingerprint})
	if err != nil {
		return nil, err
	}
	if err := d.attach(c.e.f, seg, c.e.number); err != nil {
		return nil, err
	}
	if err := d.hold(context.Background(), c.e.f.table.Self(), +1); err != nil {
		_ = d.Close()
		return nil, err
	}
	d.e.count()
	return d, nil
}

// CloseWrite says that this end sends no more, for all handles to it: the
// other end receives what is under way and then io.EOF.
func (c *Conn[S, R]) CloseWrite() error {
	if !c.mem.Enter() {
		return c.mem.ErrClosed()
	}
	defer c.mem.Exit()
	if c.e.send == nil {
		return fmt.Errorf("close the sending side of a receiving end: %w", ErrDirection)
	}
	return c.e.send.CloseWrite(context.Background())
}

// Drain iterates over the values as Recv returns them. It ends without an error
// at the end of the pipe; any other error of Recv is the last pair.
func (c *Conn[S, R]) Drain(ctx context.Context) iter.Seq2[R, error] { return all(ctx, c.Recv) }

var _ io.Closer = (*Conn[int, int])(nil)

// Close gives the handle back. Calls that wait in it return ErrClosed. The other
// end sees the end of the pipe when nobody holds this one any more.
func (c *Conn[S, R]) Close() error { return c.mem.Close() }

// String names the object.
func (c *Conn[S, R]) String() string { return c.mem.String() }

func (c *Conn[S, R]) travel() traveller { return c }

func (c *Conn[S, R]) borrow() (*shm.Segment, func(), error) { return c.mem.Borrow() }
