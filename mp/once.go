package mp

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"multiproc/mp/driver"
)

// Once is something that is done once, by one of several processes, in shared
// memory or in a place: sync.Once over processes.
//
// It is done when a function given to Do has returned nil, in whatever process. Until
// then it is to be done: if the function returns an error or panics, or if its process
// ends in any way or loses its connection to the place in the middle, the next caller of Do
// calls its own. So a function may run several times, one after the other and never
// two at once, and begins with what the last one has left; only the last one returns
// nil.
//
// What the function did that returned nil happens before what follows any Do that
// returns nil.
//
// Cost: a nanosecond where this handle knows that it is done; else in memory some 50 ns,
// and in a place a round trip, two for who does it.
type Once struct {
	travels
	h handle[driver.Once]
	// What saves a call once it is done.
	done, closed atomic.Bool
}

// NewOnce makes a Once of what is to be done; see In and WithName.
func NewOnce(opts ...Option) (*Once, error) {
	o := &Once{}
	return made(o, newObject(&o.h, driver.KindOnce, opts))
}

// Do calls f if it is not done, and returns f's error; while another process or
// goroutine is about it, it waits, as long as ctx allows. With nil it is done.
//
// f must not call Do of the same Once. In the goroutine of f that is an error that
// wraps ErrValue; in another goroutine, or another process, for which f waits, it waits for
// itself. ctx does not reach f, and does not end it.
//
// If the connection to the place was lost while f ran, or Close was called, and it
// cannot be said that it is done, the error wraps ErrNotHeld, ErrUnknownFate or ErrClosed
// although f has returned nil: another may do it again.
func (o *Once) Do(ctx context.Context, f func() error) error {
	if o.done.Load() {
		return nil
	}
	d, err := o.h.access()
	if err != nil {
		return err
	}
	key := o.identity(d)
	if onces.mine(key) {
		return fmt.Errorf("%v: the function that does it calls Do itself, which would wait for ever: %w", d, ErrValue)
	}
	run, err := d.Begin(ctx)
	if err != nil {
		return err
	}
	if run {
		if err := doOnce(d, key, f); err != nil {
			return err
		}
	}
	o.done.Store(true)
	if o.closed.Load() { // or a closed handle would answer
		o.done.Store(false)
	}
	return nil
}

// doOnce calls f and says what has come of it, also if it panics or ends its goroutine.
func doOnce(d driver.Once, key any, f func() error) (err error) {
	returned := false
	onces.begin(key)
	defer func() {
		onces.end(key)
		ctx, cancel := openContext()
		defer cancel()
		said := d.End(ctx, returned && err == nil)
		if returned && err == nil && said != nil {
			err = fmt.Errorf("it is done, but that could not be said, and another may do it again: %w", said)
		}
	}()
	err = f()
	returned = true
	return err
}

// Close gives the handle back. A function that runs goes on, and what it returns counts.
func (o *Once) Close() error {
	o.closed.Store(true)
	o.done.Store(false)
	return o.h.Close()
}

// String names the object.
func (o *Once) String() string { return o.h.String() }

func (o *Once) travel() traveller { return &o.h }

// identity is the same for all handles of this process to one object, as far as its place
// tells; else they count as different ones.
func (o *Once) identity(d driver.Once) any {
	if i, ok := d.(interface{ Identity() any }); ok {
		return i.Identity()
	}
	return o
}

// onces are the goroutines of this process that call a function for a Once. Nothing but
// the goroutine tells a Do in that function from one beside it, which has to wait.
var onces = runners{m: map[any]uint64{}}

type runners struct {
	mu sync.Mutex
	m  map[any]uint64
}

func (r *runners) begin(key any) {
	me := goroutine()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.m[key] = me
}

func (r *runners) end(key any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.m, key)
}

// mine reports whether this goroutine calls a function for that object.
func (r *runners) mine(key any) bool {
	r.mu.Lock()
	who, runs := r.m[key]
	r.mu.Unlock()
	return runs && who == goroutine()
}

// goroutine is the number of the calling goroutine. The runtime tells it nowhere but at the
// head of a stack: "goroutine 18 [running]:". Cost: 1 µs.
func goroutine() uint64 {
	var buf [64]byte
	head := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	digits, _, _ := bytes.Cut(head, []byte(" "))
	n, _ := strconv.ParseUint(string(digits), 10, 64)
	return n
}
