package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"multiproc/internal/budget"
	"multiproc/internal/data"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/internal/portable"
	"multiproc/internal/store"
)

// goSession is a Go client: what the client holds ends with it. It outlives the
// client's connections, see serveGo.
//
// The goroutine that reads a connection carries out the calls, none of which
// waits there; answers to a batch of frames that came together leave together. A
// call that waits in the store is answered by whoever ends the wait.
type goSession struct {
	s       *Server
	id      frames.SessionID
	name    string
	session *store.Session
	owner   store.Owner
	methods map[string]string // names of methods, each allocated once; the reader's

	out delivery

	turn sync.Mutex // held by the goroutine that carries out frames

	mu    sync.Mutex
	calls map[uint64]*goCall // under way, or answered with something taken
	last  uint64             // the number of the last call
	conn  *conn              // nil: the client is away
	away  *absence
	ended bool
}

// survive is carryOut, of which a panic is the answer to the call.
func (g *goSession) survive(f *frames.Frame) (err error) {
	seq, kind := f.Seq, f.Kind
	if broken := g.s.store.Safely(kind.String(), func() {
		g.s.weighty(len(f.Args.Raw()) > longMessage, func() { err = g.carryOut(f) })
	}); broken != nil {
		if c := g.find(seq); c != nil && kind == frames.Call {
			c.Fail(broken)
		}
	}
	return err
}

// carryOut does what a frame says. An error ends the session.
func (g *goSession) carryOut(f *frames.Frame) error {
	switch f.Kind {
	case frames.Call:
		return g.begin(f)
	case frames.Cancel:
		if c := g.find(f.Seq); c != nil {
			c.cancel()
		}
	case frames.Ack:
		if c := g.find(f.Seq); c != nil {
			c.acknowledge(f.Confirm)
		}
	case frames.Bye:
		return errBye
	default:
		return fmt.Errorf("a client does not send %v: %w", f.Kind, mperr.ErrCorrupt)
	}
	return nil
}

// errBye is how a client ends its session.
var errBye = errors.New("the client has ended its session")

func (g *goSession) find(seq uint64) *goCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls[seq]
}

// enroll takes note of a new call.
func (g *goSession) enroll(seq uint64) (*goCall, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if seq <= g.last {
		return nil, fmt.Errorf("call %d comes after call %d: %w", seq, g.last, mperr.ErrCorrupt)
	}
	c := &goCall{g: g, seq: seq}
	c.loan.Begin(g.session.Works())
	g.last, g.calls[seq] = seq, c
	return c, nil
}

// begin begins a call.
func (g *goSession) begin(f *frames.Frame) error {
	c, err := g.enroll(f.Seq)
	if err != nil {
		return err
	}
	defer c.loan.End() // what it takes while it waits is charged by the store
	if len(f.Method) > maxMethod {
		c.Fail(data.AttributeError("manager", string(shortName(f.Method))+"..."))
		return nil
	}
	args, err := g.arguments(c, f)
	if err != nil {
		c.Fail(err)
		return nil
	}
	if f.Object == 0 {
		g.storeCall(c, string(f.Method), args)
		return nil
	}
	c.call = store.Call{Method: g.method(f.Method), Args: store.Args{Pos: args, Loan: &c.loan}, Owner: g.owner}
	if f.Patience >= 0 {
		c.call.Deadline = time.Now().Add(time.Duration(min(f.Patience, maxPatience)) * time.Millisecond)
	}
	g.session.Begin(&c.call, f.Object, c)
	return nil
}

// method is the name of a method as a string, mostly without a new one.
func (g *goSession) method(b []byte) string {
	if s, ok := g.methods[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(g.methods) < 256 && len(s) < 64 {
		g.methods[s] = s
	}
	return s
}

// maxPatience is some three hundred years, in milliseconds: what a
// time.Duration can hold.
const maxPatience = int64(1<<63-1) / int64(time.Millisecond)

// goCall is a call of a Go client.
type goCall struct {
	g    *goSession
	seq  uint64
	call store.Call
	loan budget.Loan

	// Under g.mu:
	taken     bool // it is answered, and the client has not said yet that it got it
	cancelled bool // the client has, and drops what comes
}

// answered removes a call that needs nothing more.
func (c *goCall) answered() {
	c.g.mu.Lock()
	delete(c.g.calls, c.seq)
	c.g.mu.Unlock()
}

// Return answers with a result.
func (c *goCall) Return(v store.Item, taken bool) {
	if taken && !c.take() {
		c.Fail(context.Canceled)
		c.call.Lost()
		return
	}
	if !taken {
		c.answered()
	}
	defer c.loan.End()
	sound, err := c.g.out.sendSized(v.Wire()+smallAnswer, func(dst []byte) ([]byte, error) {
		dst, err := v.EncodeCBOR(frames.AppendReturn(dst, c.seq))
		return frames.AppendTaken(dst, taken), err
	})
	if sound && err != nil { // it has no form for Go clients, or is too long
		c.refuse(err)
	}
}

// refuse answers for a result that cannot be sent.
func (c *goCall) refuse(err error) {
	if c.settle() {
		c.call.Lost()
	}
	c.Fail(c.g.s.program.Told(err))
}

// take notes that the client has to say whether it got the answer. It refuses
// if the client has said already that it does not want it.
func (c *goCall) take() bool {
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	c.taken = !c.cancelled
	return c.taken
}

// Fail answers with an error.
func (c *goCall) Fail(err error) {
	c.answered()
	defer c.loan.End()
	for {
		_, refused := c.g.out.sendSized(errorSize(err), func(dst []byte) ([]byte, error) { return appendError(dst, c.seq, err), nil })
		if !errors.Is(refused, mperr.ErrLimit) || errorSize(err) == 0 {
			return
		}
		err = fmt.Errorf("there is no memory for the error: %w", refused)
	}
}

// errorSize is what an error takes in a message, 0 if that is little.
func errorSize(err error) int {
	size := sizeOf(data.ToException(err).Args)
	if size <= smallError {
		return 0
	}
	return size
}

// smallError is how large an error may be that is sent although there is no
// memory left.
const smallError = 4 << 10

func appendError(dst []byte, seq uint64, err error) []byte {
	e := data.ToException(err)
	names := mperr.Names(err)
	start := len(dst)
	dst = frames.AppendError(dst, seq, text(e.Class.Module), text(e.Class.Name), len(e.Args))
	for _, arg := range e.Args {
		var encErr error
		if dst, encErr = portable.AppendValue(dst, arg); encErr != nil {
			// Something that only Python can say: its text must do.
			dst = frames.AppendError(dst[:start], seq, text(e.Class.Module), text(e.Class.Name), 1)
			dst = frames.AppendText(dst, text(e.Error()))
			break
		}
	}
	return frames.AppendNames(dst, names)
}

// text makes a name fit for CBOR's text.
func text(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// Emit sends an item of a stream. It refuses if the client is behind.
func (c *goCall) Emit(v store.Item) bool {
	if c.g.out.full() {
		return false
	}
	sound, err := c.g.out.sendSized(v.Wire()+smallAnswer, func(dst []byte) ([]byte, error) {
		return v.AppendCBOR(frames.AppendEvent(dst, c.seq)), nil
	})
	return sound && err == nil
}

// newGrace is how long a client has to attach to an object that a call has
// made for it.
const newGrace = 10 * time.Second

// New answers with a new object, by reference. The reference that keeps it
// alive is let go when the client had time to take one of its own.
func (c *goCall) New(typ *store.Type, id uint64) {
	c.Return(store.Of(data.Ref{ID: id, Type: typ.ID}), false)
	time.AfterFunc(newGrace, func() {
		_ = c.g.s.store.Safely("release", func() { _ = c.g.session.Decref(id) })
	})
}

// cancel ends the call, or takes back what its answer brought: the client
// that cancels has not got it.
func (c *goCall) cancel() {
	c.g.mu.Lock()
	c.cancelled = true
	c.g.mu.Unlock()
	switch {
	case c.settle():
		c.call.Lost()
	case c.call.Owner != nil: // else it is a constructor of the program's, which goes on
		c.call.Cancel()
	}
}

// acknowledge says that the client has what the call took. A client that wants
// that confirmed returns the answer to its caller when it is: from here on
// nobody else gets what was taken.
func (c *goCall) acknowledge(confirm bool) {
	if !c.settle() {
		return
	}
	c.call.Acknowledge()
	if confirm {
		_, _ = c.g.out.send(func(dst []byte) ([]byte, error) {
			return frames.AppendTaken(frames.AppendNull(frames.AppendReturn(dst, c.seq)), false), nil
		})
	}
}

// settle ends the doubt about what the call took, once.
func (c *goCall) settle() bool {
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	if !c.taken {
		return false
	}
	c.taken = false
	delete(c.g.calls, c.seq)
	return true
}
