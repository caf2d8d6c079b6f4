package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"multiproc/internal/budget"
	"multiproc/internal/frames"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

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
	size := sizeOf(pyvalue.ToException(err).Args)
	if size <= smallError {
		return 0
	}
	return size
}

// smallError is how large an error may be that is sent although there is no
// memory left.
const smallError = 4 << 10

func appendError(dst []byte, seq uint64, err error) []byte {
	e := pyvalue.ToException(err)
	names := mperr.Names(err)
	start := len(dst)
	dst = frames.AppendError(dst, seq, toUTF8(e.Class.Module), toUTF8(e.Class.Name), len(e.Args))
	for _, arg := range e.Args {
		var encErr error
		if dst, encErr = interchange.AppendValue(dst, arg); encErr != nil {
			// Something that only Python can say: its text must do.
			dst = frames.AppendError(dst[:start], seq, toUTF8(e.Class.Module), toUTF8(e.Class.Name), 1)
			dst = frames.AppendText(dst, toUTF8(e.Error()))
			break
		}
	}
	return frames.AppendNames(dst, names)
}

// toUTF8 makes a name fit for CBOR's text.
func toUTF8(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

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
	c.Return(store.Of(pyvalue.Ref{ID: id, Type: typ.ID}), false)
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

// arguments copies the arguments out of the frame and checks them. Each has
// memory of its own, for the object may keep one and not the others; only small
// ones share theirs.
func (g *goSession) arguments(c *goCall, f *frames.Frame) ([]store.Item, error) {
	n := f.Args.Len()
	if n == 0 {
		return nil, nil
	}
	rest := f.Args.Raw()
	if err := c.loan.Take(len(rest)); err != nil {
		return nil, err
	}
	apart := n > 1 && len(rest) > smallArguments
	if !apart {
		rest = bytes.Clone(rest)
	}
	args := make([]store.Item, 0, n)
	for i := range n {
		item, after, err := interchange.Next(rest)
		tree := 0
		if err == nil {
			tree, err = interchange.CheckMeasured(item, g.s.valueLimits())
		}
		if err == nil && (!g.s.opaque || i < n-1 || !keepsLast[string(f.Method)]) {
			err = c.loan.Take(tree) // somebody will look into it
		}
		if err == nil && !g.s.opaque {
			err = refuseOpaqueItem(item)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: argument %d: %w", shortName(f.Method), len(args)+1, err)
		}
		if apart {
			item = bytes.Clone(item)
		}
		args, rest = append(args, store.Measured(item, tree)), after
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%s: something follows the arguments: %w", shortName(f.Method), mperr.ErrCorrupt)
	}
	return args, nil
}

// smallArguments is how long arguments may be that share their memory.
const smallArguments = 64

// keepsLast are the methods of which the last argument is kept as it came.
var keepsLast = map[string]bool{
	"mp.put": true, "mp.tryPut": true, "mp.putBatch": true, "mp.append": true, "mp.extend": true, "mp.insert": true,
	"mp.set": true, "mp.setDefault": true, "mp.setAll": true,
}

// shortName is the name of a method for a message.
func shortName(name []byte) []byte { return name[:min(len(name), maxMethod)] }

// maxMethod is how long the name of a method may be.
const maxMethod = 256
