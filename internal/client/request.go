package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// request is one call, from its first argument to its result. It is made by
// Manager.request or handle.request, filled by its methods, and ends with one
// of those that make the call: void, value, number and so on; nobody touches
// it after that.
type request struct {
	m      *Manager
	h      *handle // whose call it is, nil: nobody's
	id     uint64  // whose method it is, 0: the store's
	method string
	n      int    // arguments
	args   []byte // one behind the other
	stream *stream
	stays  bool // waits for the server's word as long as that takes, also when it was cancelled
	urgent bool // it gives something back, and is sent as soon as there is a connection, also if nobody waits for it any more
	undo   undo // for an answer that comes when nobody waits for it any more

	done chan struct{} // one token when the call is over
	on   *link         // where the call was made

	// The link's, under its mutex, while the call is under way.
	seq       uint64
	frame     uint64 // the number of the frame that asks
	kept      bool   // it is answered, and the server is asked to confirm that it knows that
	cause     error  // why it was cancelled
	grace     *time.Timer
	abandoned bool // nobody waits any more

	reply reply
	small []byte // memory for small results
}

// undo takes back what a call did that nobody waits for any more.
type undo func(ctx context.Context, m *Manager, id uint64, answer []byte) error

// reply is the answer to a call.
type reply struct {
	value []byte // in request.small, unless own
	own   bool   // value is the caller's
	taken bool
	err   error
}

var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

// keepRequest is how much memory a request keeps for the next call.
const keepRequest = 4 << 10

func (m *Manager) request(method string) *request {
	r := requests.Get().(*request)
	r.m, r.method = m, method
	return r
}

func (h *handle) request(method string) *request {
	r := h.m.request(method)
	r.h, r.id = h, h.id
	return r
}

// free gives the request back, with nothing left in it.
func (r *request) free() {
	args, small := r.args[:0], r.small[:0]
	if cap(args) > keepRequest {
		args = nil
	}
	*r = request{done: r.done, args: args, small: small}
	requests.Put(r)
}

// Arguments.

// raw adds an argument that is encoded already.
func (r *request) raw(item []byte) *request {
	r.n++
	r.args = append(r.args, item...)
	return r
}

func (r *request) uint(n uint64) *request {
	r.n++
	r.args = frames.AppendUint(r.args, n)
	return r
}

func (r *request) int(n int) *request {
	r.n++
	r.args = frames.AppendInt(r.args, int64(n))
	return r
}

// ints adds each of several.
func (r *request) ints(ns []int) *request {
	for _, n := range ns {
		r.int(n)
	}
	return r
}

// optional adds an integer, or null.
func (r *request) optional(n *int) *request {
	if n != nil {
		return r.int(*n)
	}
	return r.null()
}

func (r *request) null() *request {
	r.n++
	r.args = frames.AppendNull(r.args)
	return r
}

func (r *request) bool(b bool) *request {
	r.n++
	r.args = frames.AppendBool(r.args, b)
	return r
}

func (r *request) text(s string) *request {
	r.n++
	r.args = frames.AppendText(r.args, s)
	return r
}

// list adds a list of items.
func (r *request) list(items [][]byte) *request {
	r.n++
	r.args = frames.AppendArray(r.args, len(items))
	for _, item := range items {
		r.args = append(r.args, item...)
	}
	return r
}

// begin begins an argument that is a list: the next n arguments are its items.
// The caller sets r.n.
func (r *request) begin(n int) *request {
	r.args = frames.AppendArray(r.args, n)
	return r
}

// The call.

// do makes the call, on a new connection if there is none. What it returns
// names the object.
func (r *request) do(ctx context.Context) error {
	err := r.try(ctx)
	if errors.Is(err, errNotSent) {
		err = r.try(ctx) // the connection ended before the call began
	}
	if err == nil {
		return nil
	}
	return r.named(err)
}

func (r *request) named(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Object == "" {
		e.Object, e.Method = r.name(), r.method
		return err
	}
	return fmt.Errorf("%s: %w", r.name(), err)
}

func (r *request) name() string {
	if r.h != nil {
		return r.h.String()
	}
	return r.m.String()
}

func (r *request) try(ctx context.Context) error {
	l, err := r.route(ctx)
	if err != nil {
		return err
	}
	r.reply, r.on = reply{}, l
	return l.call(ctx, r)
}

// route finds the connection to make the call on.
func (r *request) route(ctx context.Context) (*link, error) {
	if ctx.Err() != nil {
		return nil, mperr.Ended(ctx)
	}
	if r.h != nil && r.h.closed.Load() {
		return nil, mperr.ErrClosed
	}
	l, err := r.m.connected(ctx)
	switch {
	case err != nil && ctx.Err() == nil && !errors.Is(err, mperr.ErrClosed):
		return nil, fmt.Errorf("the connection to %s is lost, and there is no new one: %w", r.m, err)
	case err != nil || r.h == nil:
		return l, err
	}
	return l, r.h.attach(ctx, l)
}

// The answer, filled in by the link.

// take copies an answer out of a frame. It reports whether it has kept a part
// of the frame instead.
func (r *request) take(f *frames.Frame) (detached bool) {
	if r.grace != nil {
		r.grace.Stop()
		r.grace = nil
	}
	if r.kept {
		r.kept = false // and the reply is the one that is there
		return false
	}
	if f.Kind == frames.Error {
		r.reply = reply{err: cancelled(newError(f), r.cause)}
		return false
	}
	if f.Taken && r.cause != nil {
		// The server has heard, or will hear, that we do not want it, and puts
		// it back: to acknowledge it now would be too late.
		r.reply = reply{err: r.cause}
		return false
	}
	r.reply = reply{taken: f.Taken}
	if len(f.Value) >= detachFrom {
		r.reply.value, r.reply.own = f.Value, true
		return true
	}
	r.small = append(r.small[:0], f.Value...)
	r.reply.value = r.small
	return false
}

// finish ends the call for whoever waits.
func (r *request) finish() {
	switch {
	case r.abandoned:
		if r.reply.err == nil && r.undo != nil {
			go r.takeBack()
		}
	case r.stream != nil:
		r.stream.end(r.reply.err)
	default:
		r.done <- struct{}{}
	}
}

// finished reports whether the call is over, once.
func (r *request) finished() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// takeBack undoes what a call did that nobody waits for any more. If that
// fails, the end of the session does it.
func (r *request) takeBack() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_ = r.undo(ctx, r.m, r.id, r.reply.value)
}

// The results. Each makes the call.

// void is for calls whose result says nothing.
func (r *request) void(ctx context.Context) error {
	err := r.do(ctx)
	r.free()
	return err
}

// value is a result of any type, as bytes of the caller's own.
func (r *request) value(ctx context.Context) ([]byte, error) {
	defer r.free()
	if err := r.do(ctx); err != nil {
		return nil, err
	}
	return r.owned(), nil
}

func (r *request) owned() []byte {
	if r.reply.own {
		return r.reply.value
	}
	return bytes.Clone(r.reply.value)
}

func (r *request) truth(ctx context.Context) (bool, error) {
	defer r.free()
	if err := r.do(ctx); err != nil {
		return false, err
	}
	b, ok := frames.Bool(r.reply.value)
	return b, r.want(ok, "a truth value")
}

func (r *request) number(ctx context.Context) (int, error) {
	defer r.free()
	if err := r.do(ctx); err != nil {
		return 0, err
	}
	n, ok := frames.Int(r.reply.value)
	return int(n), r.want(ok, "a number")
}

func (r *request) versioned(ctx context.Context) (v driver.Versioned, err error) {
	defer r.free()
	if err := r.do(ctx); err != nil {
		return v, err
	}
	it, _ := frames.Array(r.reply.value)
	item := it.Next()
	version, ok := frames.Uint(it.Next())
	if item == nil || !ok {
		return v, r.want(false, "a value and its version")
	}
	if !r.reply.own {
		item = bytes.Clone(item)
	}
	return driver.Versioned{Value: item, Version: version}, nil
}

// array is a result of several items.
func (r *request) array(ctx context.Context) (frames.Items, error) {
	b, err := r.value(ctx)
	if err != nil {
		return frames.Items{}, err
	}
	it, ok := frames.Array(b)
	if !ok {
		return it, errStrange
	}
	return it, nil
}

// items is a result that is a list.
func (r *request) items(ctx context.Context) ([][]byte, error) {
	it, err := r.array(ctx)
	if err != nil {
		return nil, err
	}
	return split(it)
}

// split cuts a list into its items.
func split(it frames.Items) ([][]byte, error) {
	out := make([][]byte, 0, it.Len())
	for it.Len() > 0 {
		item := it.Next()
		if item == nil {
			return nil, errStrange
		}
		out = append(out, item)
	}
	return out, nil
}

func splitItem(item []byte) ([][]byte, error) {
	it, ok := frames.Array(item)
	if !ok {
		return nil, errStrange
	}
	return split(it)
}

var errStrange = fmt.Errorf("the server's answer makes no sense: %w", mperr.ErrCorrupt)

func (h *handle) strange(method string) error {
	return fmt.Errorf("%s: %s: %w", h, method, errStrange)
}

func (r *request) want(ok bool, what string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s: %s should return %s: %w", r.name(), r.method, what, errStrange)
}
