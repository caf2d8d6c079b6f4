package local

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/shm"
)

// Memory is a handle's hold on a segment of any size, and the rule by which it
// is given up. Close marks the handle as closed and wakes those of this process
// who wait in it; the last call to leave unmaps.
//
// The zero Memory belongs to a handle that no New function made: Enter refuses
// it. All methods but Adopt are safe for concurrent use.
type Memory struct {
	Seg *shm.Segment
	Mem unsafe.Pointer // the first pages of the segment

	users  atomic.Int64         // calls inside, plus closedBit
	hold   atomic.Pointer[Hold] // nil: closed, or there are no calls under a Hold
	keep   *Hold                // the same, until the last call has left
	abort  func()               // wakes this process's waiters
	Rest   *Remains             // what is given back in the end
	forget runtime.Cleanup      // in case Close is never called
	linger runtime.Cleanup      // in case what was held when it was is never given back

	moved atomic.Pointer[string] // to whom, for an end of a pipe that has

	closing closing // calls that Close must end, beside those that abort wakes
}

// Remains are what a handle leaves when nobody uses it any more. They outlive
// the handle if it is forgotten, and must not refer to it.
type Remains struct {
	seg    *shm.Segment
	Leave  func()      // tells other processes; may be nil
	Detach func()      // runs before the memory is unmapped; may be nil
	Held   func() bool // a lock is held in the memory; may be nil
	lent   atomic.Bool // memory was given to the user, who may keep it
	holds  bool        // a Hold unmaps the memory
}

// Lend notes that a slice of the memory was given to the user: if the handle is
// forgotten the memory stays mapped.
func (r *Remains) Lend() {
	if !r.lent.Load() { // or every call would write to the line
		r.lent.Store(true)
	}
}

// giveBack gives the memory up.
func (r *Remains) giveBack() {
	if r.Leave != nil {
		r.Leave()
	}
	if r.holds {
		retire(r.seg)
		return
	}
	r.unmap()
}

func (r *Remains) unmap() {
	if r.Detach != nil {
		r.Detach()
	}
	_ = r.seg.Close()
}

// forgotten is giveBack for a handle that the collector found, so that no call
// is inside. Slices that came out of it may still be in use, and a lock that is
// held is on a list that the kernel walks: then the memory stays mapped.
func (r *Remains) forgotten(made []byte) {
	ReportLeak(r.seg, made)
	if r.holds { // the Hold is forgotten, too, and unmaps
		if r.Leave != nil {
			r.Leave()
		}
		return
	}
	if !r.lent.Load() && (r.Held == nil || !r.Held()) {
		r.giveBack()
		return
	}
	if r.Leave != nil {
		r.Leave()
	}
	r.seg.ReleaseFD()
}

const (
	closedBit = 1 << 62
	gone      = closedBit + 1<<61 // users of a handle whose memory is unmapped, more or less
)

// Borrow keeps the segment open until release is called.
func (m *Memory) Borrow() (seg *shm.Segment, release func(), err error) {
	if !m.Enter() {
		return nil, nil, m.ErrClosed()
	}
	return m.Seg, m.Exit, nil
}

// Enter begins a call. After true the memory stays mapped until exit, and the
// handle is not collected.
func (m *Memory) Enter() bool {
	if m.users.Add(1) > closedBit || m.Seg == nil {
		m.Exit()
		return false
	}
	return true
}

// Exit ends a call that Enter began.
func (m *Memory) Exit() {
	if m.users.Add(-1) == closedBit {
		m.finish()
	}
}

// Stay makes a call that Enter began count for n more; each is ended by Leave.
func (m *Memory) Stay(n int64) { m.users.Add(n) }

// Leave is n times Exit.
func (m *Memory) Leave(n int64) {
	if n > 0 && m.users.Add(-n) == closedBit {
		m.finish()
	}
}

// ErrClosed says which handle was closed.
func (m *Memory) ErrClosed() error {
	if m.Seg == nil {
		return ErrNoObject
	}
	if to := m.moved.Load(); to != nil {
		where := "in a message"
		if *to != "" {
			where = "to " + *to
		}
		return fmt.Errorf("%s %s: this end has moved %s, and the handle is closed: %w; Clone an end before it is given away to keep one", m.Seg.Kind, m.Seg.ID, where, mperr.ErrClosed)
	}
	return fmt.Errorf("%s %s: %w", m.Seg.Kind, m.Seg.ID, mperr.ErrClosed)
}

// ErrNoObject is the error of a handle that no New function made.
var ErrNoObject = fmt.Errorf("multiproc: a handle that no New function made and no message brought: %w", mperr.ErrClosed)

// Close gives back this process's handle. Calls that wait in it return
// ErrClosed, and so do later ones; the memory is unmapped when the last call
// has returned. The object itself lives for as long as another handle to it
// exists in any process. A second Close returns ErrClosed.
func (m *Memory) Close() error {
	for {
		n := m.users.Load()
		if n >= closedBit || m.Seg == nil {
			return m.ErrClosed()
		}
		if m.users.CompareAndSwap(n, n+1+closedBit) {
			break
		}
	}
	m.forget.Stop()
	m.hold.Store(nil)
	m.abort()
	m.closing.wake()
	m.Exit()
	return nil
}

// finish gives the memory up. A call that turns back at once may bring users
// to closedBit a second time: the swap lets one of them in.
func (m *Memory) finish() {
	if !m.users.CompareAndSwap(closedBit, gone) {
		return
	}
	m.keep = nil
	m.linger.Stop()
	m.Rest.giveBack()
}

// Hold keeps a handle's memory mapped for as long as it is reachable. A call
// that never waits runs under it instead of between Enter and Exit, whose two
// atomic additions would be a good part of its time:
//
//	h := m.Hold()
//	if h == nil { return m.ErrClosed() }
//	…
//	runtime.KeepAlive(h)
//
// Close takes the Hold away; the collector, which sees every call in progress,
// runs the cleanup that unmaps.
type Hold struct{ rest *Remains }

// Hold is the handle's Hold; nil: the handle was closed, or never made.
func (m *Memory) Hold() *Hold { return m.hold.Load() }

// UseHold makes the Hold, once, for an object that gives its user no memory. Rest
// is complete by then. The memory stays mapped after Close, until the next
// collection.
func (m *Memory) UseHold() {
	h := &Hold{m.Rest}
	m.Rest.holds = true
	runtime.AddCleanup(h, func(r *Remains) {
		unretire(r.seg)
		r.unmap()
	}, m.Rest)
	m.keep = h
	m.hold.Store(h)
}

// Adopt makes m the handle of seg, whose first size bytes it maps. leave must
// not refer to the handle.
func (m *Memory) Adopt(seg *shm.Segment, size int64, abort, leave func()) error {
	mem, err := seg.Map(0, min(shm.RoundPage(size), seg.Size))
	if err != nil {
		_ = seg.Close()
		return err
	}
	m.Seg, m.Mem, m.abort = seg, mem, abort
	m.Rest = &Remains{seg: seg, Leave: leave}
	m.forget = runtime.AddCleanup(m, m.Rest.forgotten, MadeBy())
	return nil
}

// Body is the object's own memory, behind the header.
func (m *Memory) Body() unsafe.Pointer { return unsafe.Add(m.Mem, shm.HeaderSize) }

// ReportLeaks says that handles which are collected without Close are reported.
var ReportLeaks = strings.Contains(os.Getenv("MPDEBUG"), "leaks")

// MadeBy is the stack of the maker of a handle, if leaks are to be reported.
func MadeBy() []byte {
	if !ReportLeaks {
		return nil
	}
	return debug.Stack()
}

// ReportLeak says that a handle was collected that nobody closed.
func ReportLeak(seg *shm.Segment, made []byte) {
	if made != nil {
		fmt.Fprintf(os.Stderr, "multiproc: %s %s was forgotten without Close; it was made by:\n%s\n", seg.Kind, seg.ID, made)
	}
}

// String names the object in messages.
func (m *Memory) String() string {
	if m.Seg == nil {
		return "a handle that no New function made"
	}
	return fmt.Sprintf("%s %s", m.Seg.Kind, m.Seg.ID)
}

// Linger is called inside, after Close, if what was not given back yet keeps the handle
// in use: when the handle is forgotten nobody can give it back any more, and the memory
// is unmapped.
func (m *Memory) Linger() {
	m.Seg.ReleaseFD()
	m.linger = runtime.AddCleanup(m, (*Remains).giveBack, m.Rest)
}

// Closed reports whether the handle was closed.
func (m *Memory) Closed() bool { return m.users.Load() >= closedBit }

// MovedTo notes to whom the end of a pipe has gone, for messages; "" if that is
// not known.
func (m *Memory) MovedTo(who string) { m.moved.Store(&who) }

// OnClose calls f when the handle is closed, until stop is called.
func (m *Memory) OnClose(f func()) (stop func()) {
	m.closing.add(&f)
	return func() { m.closing.remove(&f) }
}

// closing are functions that a handle's Close calls.
type closing struct {
	mu sync.Mutex
	m  map[*func()]struct{}
}

func (c *closing) add(f *func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[*func()]struct{}{}
	}
	c.m[f] = struct{}{}
}

func (c *closing) remove(f *func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, f)
}

func (c *closing) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for f := range c.m {
		(*f)()
	}
}

// Create makes the segment of a new object of a family.
func Create(family shm.ID, kind shm.Kind, finger [16]byte, size int64, params [4]uint64) (*shm.Segment, error) {
	return shm.Create(shm.Header{
		Kind: kind, ID: shm.NewID(), Family: family, Fingerprint: finger, Params: params, Size: size,
	})
}
