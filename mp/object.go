package mp

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/shm"
)

// shared is the face that a handle of any type shows to a session, which
// sends it to another process or fills it in there.
type shared interface {
	MultiprocHandle()
	Close() error
	// borrow keeps the segment open until release is called.
	borrow() (seg *shm.Segment, release func(), err error)
	// kind is what the handle's segment holds; finger is the fingerprint of
	// its element type.
	kind() shm.Kind
	finger(side byte) ([16]byte, error)
	// attach makes a fresh handle one to seg, which it takes over. side is
	// what the sender's side returned.
	attach(f *family, seg *shm.Segment, side byte) error
	side() byte
}

// object is what handles with memory of any size have in common: a segment,
// and the rule by which it is given up. Close marks the handle as closed and
// wakes those of this process who wait in it; whoever leaves last unmaps.
type object struct {
	seg *shm.Segment
	mem unsafe.Pointer // the first pages of the segment

	users  atomic.Int64    // calls inside, plus closedBit
	abort  func()          // wakes this process's waiters
	rest   *remains        // what is given back in the end
	forget runtime.Cleanup // in case Close is never called

	moved atomic.Pointer[string] // to whom, for an end of a pipe that has

	selects selects // calls of Select that look at this handle
}

// remains are what a handle leaves when nobody uses it any more. They outlive it
// where it is forgotten, and must not refer to it.
type remains struct {
	seg    *shm.Segment
	leave  func()      // tells other processes; may be nil
	detach func()      // runs before the memory is unmapped; may be nil
	held   func() bool // a lock is held in the memory; may be nil
	lent   atomic.Bool // memory was given to the user, for as long as he likes
}

// giveBack gives the memory up.
func (r *remains) giveBack() {
	if r.leave != nil {
		r.leave()
	}
	if r.detach != nil {
		r.detach()
	}
	_ = r.seg.Close()
}

// forgotten is giveBack for a handle that the collector found, so that no call
// is inside. Slices that came out of it may still be in use, and a lock that is
// held is on a list that the kernel walks: then the memory stays mapped.
func (r *remains) forgotten(made []byte) {
	reportLeak(r.seg, made)
	if !r.lent.Load() && (r.held == nil || !r.held()) {
		r.giveBack()
		return
	}
	if r.leave != nil {
		r.leave()
	}
	r.seg.ReleaseFD()
}

const (
	closedBit = 1 << 62
	gone      = closedBit + 1<<61 // users of a handle whose memory is unmapped, more or less
)

// MultiprocHandle marks the type as one that may travel between processes.
func (o *object) MultiprocHandle() {}

func (o *object) side() byte { return 0 }

func (o *object) borrow() (*shm.Segment, func(), error) {
	if !o.enter() {
		return nil, nil, o.errClosed()
	}
	return o.seg, o.exit, nil
}

// enter begins a call. After true the memory stays mapped until exit, and the
// handle is not collected.
func (o *object) enter() bool {
	if o.users.Add(1) > closedBit || o.seg == nil {
		o.exit()
		return false
	}
	return true
}

func (o *object) exit() {
	if o.users.Add(-1) == closedBit {
		o.finish()
	}
}

// errClosed says which handle was closed.
func (o *object) errClosed() error {
	if o.seg == nil {
		return errNoObject
	}
	if to := o.moved.Load(); to != nil {
		where := "in a message"
		if *to != "" {
			where = "to " + *to
		}
		return fmt.Errorf("%s %s: this end has moved %s, and the handle is closed: %w; Clone an end before it is given away to keep one", o.seg.Kind, o.seg.ID, where, mperr.ErrClosed)
	}
	return fmt.Errorf("%s %s: %w", o.seg.Kind, o.seg.ID, mperr.ErrClosed)
}

var errNoObject = fmt.Errorf("multiproc: a handle that no New function made and no message brought: %w", mperr.ErrClosed)

// Close gives back this process's handle. Calls that wait in it return
// ErrClosed, and so do later ones; the memory is unmapped when the last call
// has returned. The object itself lives for as long as another handle to it
// exists in any process. A second Close returns ErrClosed.
func (o *object) Close() error {
	for {
		n := o.users.Load()
		if n >= closedBit || o.seg == nil {
			return o.errClosed()
		}
		if o.users.CompareAndSwap(n, n+1+closedBit) {
			break
		}
	}
	o.forget.Stop()
	o.abort()
	o.selects.wake()
	o.exit()
	return nil
}

// finish gives the memory up. A call that turns back at once may bring users
// to closedBit a second time: the swap lets one of them in.
func (o *object) finish() {
	if !o.users.CompareAndSwap(closedBit, gone) {
		return
	}
	o.rest.giveBack()
}

// adopt makes o the handle of seg, whose first size bytes it maps. leave must
// not refer to the handle.
func (o *object) adopt(seg *shm.Segment, size int64, abort, leave func()) error {
	mem, err := seg.Map(0, min(shm.RoundPage(size), seg.Size))
	if err != nil {
		_ = seg.Close()
		return err
	}
	o.seg, o.mem, o.abort = seg, mem, abort
	o.rest = &remains{seg: seg, leave: leave}
	o.forget = runtime.AddCleanup(o, o.rest.forgotten, madeBy())
	return nil
}

// body is the object's own memory, behind the header.
func (o *object) body() unsafe.Pointer { return unsafe.Add(o.mem, shm.HeaderSize) }

var reportLeaks = strings.Contains(os.Getenv("MPDEBUG"), "leaks")

// madeBy is the stack of the maker of a handle, if leaks are to be reported.
func madeBy() []byte {
	if !reportLeaks {
		return nil
	}
	return debug.Stack()
}

// reportLeak says that a handle was collected that nobody closed.
func reportLeak(seg *shm.Segment, made []byte) {
	if made != nil {
		fmt.Fprintf(os.Stderr, "multiproc: %s %s was forgotten without Close; it was made by:\n%s\n", seg.Kind, seg.ID, made)
	}
}

// newSegment makes the segment of a new object of this process's family.
func newSegment(kind shm.Kind, finger [16]byte, size int64, params [4]uint64) (*family, *shm.Segment, error) {
	f, err := theFamily()
	if err != nil {
		return nil, nil, err
	}
	seg, err := shm.Create(shm.Header{
		Kind: kind, ID: shm.NewID(), Family: f.table.Family(), Fingerprint: finger, Params: params, Size: size,
	})
	return f, seg, err
}
