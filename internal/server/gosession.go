package server

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
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
		c.Fail(pyvalue.AttributeError("manager", string(shortName(f.Method))+"..."))
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
	if f.Timeout >= 0 {
		c.call.Deadline = time.Now().Add(time.Duration(min(f.Timeout, maxTimeout)) * time.Millisecond)
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

// maxTimeout is some three hundred years, in milliseconds: what a
// time.Duration can hold.
const maxTimeout = int64(1<<63-1) / int64(time.Millisecond)
