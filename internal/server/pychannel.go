package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"multiproc/internal/budget"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// channel is a connection on which a thread of a Python client calls methods:
// one call, one answer, strictly in turns. It is what owns locks for that
// thread.
//
// The goroutine that reads the connection carries out calls and writes their
// answers, unless a call has to wait in the store: then whoever ends the wait
// writes the answer, and the reader watches for the end of the connection.
//
// # Items that were taken
//
// What a call took out of a queue is given back if the client never got it.
// The client has it when it sends its next request, unless an exception came
// between (see turn and unread), and when it closes the connection without an
// error. It has not if the answer cannot be written, or if the kernel says that
// the peer closed with our bytes unread: by ECONNRESET, or because they are
// still in the socket.
type channel struct {
	*pyCodec
	name  string
	owner store.Owner
	used  map[uint64]time.Time // when objects were called last; under client.mu
	uses  *budget.Share        // charged for used

	done  chan struct{} // closed at its end
	free  chan struct{} // holds a token when no call is under way
	call  *store.Call   // the last one; changed by the reader with the token in hand
	taken bool          // its answer holds something that was taken; changes with the token

	// What the thread may still wait for, see pynested.go; with the token.
	callID  uint64
	debts   []debt
	read    time.Time   // when the announcement was found to be read
	probing atomic.Bool // somebody looks now and then
	arrived atomic.Bool // the reader has a request in hand

	state     atomic.Int32 // of the last call
	inherited atomic.Bool  // its process is dead, and another one has the connection
	waited    atomic.Bool  // the last call was not answered at once; for tests also
	astray    bool         // what a forsaken call brought has nobody; changes with the token
}

// The states of a call.
const (
	waiting   int32 = iota
	answering       // it is answered, or about to be: the token comes soon
	forsaken        // its client has sent another request instead of waiting, and wants no answer
)

func newChannel(p *pyCodec, name string) *channel {
	ch := &channel{pyCodec: p, name: name, used: map[uint64]time.Time{}, done: make(chan struct{}), free: make(chan struct{}, 1)}
	ch.owner = p.client.session.Channel()
	ch.uses = p.s.store.Budget().Keeping()
	ch.free <- struct{}{}
	return ch
}

// serve carries out calls to the end of the connection.
func (ch *channel) serve() {
	ch.client.enter(ch)
	for {
		b, err := ch.c.in.ReadFrame(ch.s.limits.Frame)
		refusal, tooLarge := ch.c.tooLarge(err, func([]byte) {})
		if err != nil && !tooLarge {
			ch.end(err)
			return
		}
		ch.arrived.Store(true)
		if !ch.turn() || ch.waited.Load() && !ch.c.out.announced() && ch.unread() {
			ch.state.Store(forsaken)
			ch.end(errTurns)
			return
		}
		ch.arrived.Store(false)
		ch.settle(true)
		ch.call = nil
		ch.state.Store(waiting)
		if tooLarge {
			ch.Fail(refusal)
		} else if err := ch.s.store.Safely("a request", func() {
			ch.s.weighty(len(b) > longMessage, func() { ch.request(b) })
		}); err != nil && ch.claim() {
			ch.answer(kindTraceback, traceback(err))
			ch.free <- struct{}{}
		}
		ch.c.loan.End()
		ch.waited.Store(len(ch.free) == 0)
		ch.probeSoon()
		ch.c.out.wait(maxOut)
	}
}

var errTurns = fmt.Errorf("a client sent a request before it had the answer to the last: %w", mperr.ErrCorrupt)

// turn waits for the call under way, when the next request is there. A client
// that has its answer can be faster than the goroutine that sent it. One that
// has none does not wait for it any more: an exception, KeyboardInterrupt for
// example, has ended the wait in its thread, and the next answer is for the next
// request. False: the call cannot be taken back.
func (ch *channel) turn() bool {
	select {
	case <-ch.free:
		return !ch.astray
	default:
	}
	// What was announced in front of the call under way, and was read, went with
	// the wait that has ended.
	swallowed := false
	if ch.c.out.announced() {
		n, known := ch.c.unread()
		swallowed = known && n == 0
	}
	var owed *store.Call
	var id uint64
	limit := time.Now().Add(lastWords)
	for {
		if ch.state.CompareAndSwap(waiting, forsaken) {
			owed, id = ch.call, ch.callID
			owed.Cancel()
		}
		t := time.NewTimer(min(lastWords, probeLast)) // a call may begin anew meanwhile, see pay
		select {
		case <-ch.free:
			t.Stop()
			switch {
			case owed == nil:
			case swallowed && ch.c.out.announced():
				ch.c.out.forget()
			default:
				ch.owe(owed, id)
			}
			return !ch.astray
		case <-t.C:
			if time.Now().After(limit) {
				return false
			}
		}
	}
}

// unread reports whether the client has not read the last answer, though it has
// sent another request: it would take that answer for the one to come. Only a
// Unix socket tells, and only to one who is faster than the client, which reads
// next.
func (ch *channel) unread() bool {
	_, unix := ch.c.socket.(*net.UnixConn)
	return unix && unsent(ch.c.socket) > 0
}

// settle ends the doubt about what the last call took.
func (ch *channel) settle(got bool) {
	if !ch.taken {
		return
	}
	ch.taken = false
	if got {
		ch.call.Acknowledge()
	} else {
		ch.call.Lost()
	}
}

// request carries out one call.
func (ch *channel) request(b []byte) {
	r, err := ch.pyCodec.request(b)
	ch.c.in.Release() // nothing of the request refers to it
	if err != nil {
		ch.reply(kindTraceback, traceback(err))
		return
	}
	id, ok := parseIdent(r.ident)
	typ, known := ch.s.store.Lookup(id)
	if !ok || !known {
		ch.reply(kindTraceback, traceback(pyvalue.KeyError(r.ident)))
		return
	}
	if err := ch.client.using(ch, id); err != nil {
		ch.Fail(err)
		return
	}
	if !exposes(typ, r.method) {
		ch.s.weighty(len(b) <= longMessage && ch.s.store.Much(id), func() { ch.fallback(id, typ, &r) })
		return
	}
	ch.call, ch.callID = &store.Call{Method: r.method, Args: r.pyArgs(0), Owner: ch.owner, Python: true}, id
	ch.call.Args.Loan = &ch.c.loan
	ch.client.session.Begin(ch.call, id, ch)
}

// exposes reports whether Python may call a method. Those of Go's clients are
// never listed, but who knows them may call them.
func exposes(typ *store.Type, method string) bool {
	if strings.HasPrefix(method, "mp.") {
		return true
	}
	for _, m := range typ.Exposed {
		if m == method {
			return true
		}
	}
	return false
}

// fallback answers what every object understands.
func (ch *channel) fallback(id uint64, typ *store.Type, r *pyRequest) {
	switch r.method {
	case "__str__", "__repr__":
		if err := ch.c.loan.Take(ch.s.store.Cost(id, true)); err != nil {
			ch.Fail(err)
			return
		}
		text, err := ch.s.store.Repr(id)
		if err != nil {
			ch.reply(kindTraceback, traceback(err))
			return
		}
		ch.reply(kindReturn, text)
	case "#GETVALUE":
		if err := ch.c.loan.Take(ch.s.store.Cost(id, false)); err != nil {
			ch.Fail(err)
			return
		}
		v, ok, err := ch.s.store.Snapshot(id)
		switch {
		case err != nil:
			ch.reply(kindTraceback, traceback(err))
		case !ok:
			ch.reply(kindUnserializable, traceback(pyvalue.TypeError(fmt.Sprintf("cannot pickle '%s' object", typ.ID))))
		default:
			ch.reply(kindReturn, v.Value())
		}
	default:
		ch.reply(kindTraceback, traceback(notExposed(r.method, typ)))
	}
}

func notExposed(method string, typ *store.Type) error {
	return &pyvalue.Exception{
		Class: pyvalue.Global{Module: "builtins", Name: "AttributeError"},
		Args: pyvalue.Tuple{fmt.Sprintf("method %s of '%s' object is not in exposed=%s",
			pyvalue.Repr(method), typ.ID, pyvalue.Repr(stringTuple(typ.Exposed)))},
	}
}

// reply answers the call under way, on any goroutine.
func (ch *channel) reply(kind string, value pyvalue.Value) (sound bool) {
	if ch.claim() {
		sound = ch.answer(kind, value)
	}
	ch.free <- struct{}{}
	return sound
}

// claim begins an answer, unless nobody wants it.
func (ch *channel) claim() bool { return ch.state.CompareAndSwap(waiting, answering) }

// Return answers with a result.
func (ch *channel) Return(v store.Item, taken bool) {
	switch {
	case ch.claim():
		ch.taken = taken
		switch sound := ch.answerItem(v); {
		case !sound:
			ch.settle(false)
		case taken && ch.inherited.Load():
			time.AfterFunc(lastWords, ch.cutOffUnread)
		}
	case taken:
		ch.call.Lost()
	default:
		ch.astray = true // a lock, for example
	}
	ch.free <- struct{}{}
}

// cutOffUnread ends a channel whose process is dead if nobody has read its last
// answer: the process that has it open does not use it, and what was taken is
// put back.
func (ch *channel) cutOffUnread() {
	if ch.unread() {
		_ = ch.c.socket.SetDeadline(time.Unix(1, 0))
	}
}

// answerItem answers with an item. What it took is put back if there is no memory
// for the answer.
func (ch *channel) answerItem(v store.Item) (sound bool) {
	defer ch.c.loan.End()
	size := v.Tree()
	if _, cbor := v.CBOR(); cbor {
		if err := ch.c.loan.Take(size); err != nil {
			ch.answer(kindError, exceptionOf(err))
			return !ch.taken
		}
	}
	sound, err := ch.c.out.sendSized(size+smallAnswer, func(dst []byte) ([]byte, error) {
		return ch.encode(dst, kindReturn, v.Value())
	})
	if !sound || err == nil {
		return sound
	}
	switch {
	case errors.Is(err, errFrameTooLong), errors.Is(err, mperr.ErrLimit):
		ch.answer(kindError, exceptionOf(err))
	default:
		ch.answer(kindUnserializable, traceback(ch.s.program.Told(err)))
	}
	return !ch.taken
}

// Fail answers with an exception.
func (ch *channel) Fail(err error) {
	ch.reply(kindError, exceptionOf(err))
}

// Emit refuses: a Python client cannot be told anything but its answer.
func (ch *channel) Emit(store.Item) bool { return false }

// New answers with a new object, to which the client refers already.
func (ch *channel) New(typ *store.Type, id uint64) {
	if ch.claim() {
		ch.client.gave(id)
		token := newToken(typ.ID, ch.client.tokens(ch.c), id)
		ch.answer(kindProxy, pyvalue.Tuple{exposedBy(typ), token})
	} else {
		_ = ch.client.session.Decref(id)
	}
	ch.free <- struct{}{}
}

// end is the end of the connection: err says which.
func (ch *channel) end(err error) {
	defer close(ch.done)
	died := ch.client.leave(ch)
	// An answer that has begun may have been read already, and its client may
	// have left with what it brought. One that begins from here on is read by
	// nobody: EndOwner withdraws the call, or puts back what it just got.
	idle := ch.state.Load() == answering
	if idle {
		<-ch.free
		ch.settle(atEnd(err) && ch.c.out.sound() && unsent(ch.c.socket) == 0)
	}
	sess := ch.client.session
	switch {
	case !ch.client.direct:
		sess.EndOwner(ch.owner, func(id uint64) bool { _, dead := died[id]; return !dead })
		if isMainThread(ch.name) && !cutOff(err) {
			ch.s.dropRefs(ch.client, died)
		}
	case !idle || !ch.owner.Holding():
		sess.EndOwner(ch.owner, nil)
	default:
		// The thread has ended. What it holds is its process's as long as that
		// lives.
	}
}

// cutOff reports whether it is the server that ends a channel, because of what
// the client sent: then the client lives.
func cutOff(err error) bool {
	return errors.Is(err, mperr.ErrCorrupt) || errors.Is(err, mperr.ErrTooLarge)
}

// atEnd reports whether the client has read what it wanted to read: it has
// closed the connection, or is dead, see watchPython.
func atEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded)
}
