package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/machine"
	"multiproc/mp"
	"multiproc/mp/executor"
)

// equipment is what a worker process is started with.
type equipment struct {
	Lane    *mp.Conn[note, order]
	Control *mp.Conn[report, command]
}

// worker is the task of a worker process.
var worker = mp.Proc(work)

func work(ctx context.Context, e equipment) error {
	w := &workshop{
		lane: e.Lane, control: e.Control, base: ctx,
		segments: map[uint32]*mp.RawArray[byte]{}, tasks: map[uint32]executor.Runner{}, values: map[uint64]any{}, carried: map[uint64][]string{},
		changed: make(chan struct{}),
	}
	w.renew()
	go w.listen()
	// If memory is short the kernel is to take a worker, and not who started it. A
	// process may always raise its own.
	const file, score = "/proc/self/oom_score_adj", 300
	if b, err := os.ReadFile(file); err == nil {
		if old, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && old < score {
			_ = os.WriteFile(file, []byte(strconv.Itoa(score)), 0)
		}
	}
	w.idleSince = time.Now()
	w.send(note{Kind: noteReady})
	for {
		// Not in this goroutine: a task may end its own.
		again := make(chan bool)
		go func() {
			goexit := true
			defer func() {
				if goexit {
					again <- true
				}
			}()
			w.goOn()
			w.serve()
			goexit = false
			again <- false
		}()
		if <-again {
			continue
		}
		for _, c := range slices.Backward(closers) {
			w.err = errors.Join(w.err, c.Close())
		}
		return w.err
	}
}

// workshop is the inside of a worker process.
type workshop struct {
	lane    *mp.Conn[note, order]
	control *mp.Conn[report, command]
	base    context.Context
	err     error

	mu       sync.Mutex
	segments map[uint32]*mp.RawArray[byte]
	tasks    map[uint32]executor.Runner
	values   map[uint64]any
	arrived  uint64 // the order whose argument came last
	lost     error  // why something could not be received, the last time
	carried  map[uint64][]string
	changed  chan struct{} // closed when one of those has come, or none can
	ended    bool
	ctx      context.Context // of the items
	cancel   context.CancelCauseFunc
	running  uint64 // the order

	// What only the goroutine of serve uses.
	errand    errand    // the memory of now
	now       *errand   // nil between orders
	notes     []note    // that were not sent yet
	told      time.Time // when some were, last
	later     []order   // that came while another one waited for room
	idleSince time.Time
	looked    time.Time // at the resident memory
}

// listen takes what comes over control.
func (w *workshop) listen() {
	for {
		c, err := w.control.Recv(context.Background())
		w.mu.Lock()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, mp.ErrClosed):
			w.ended = true
		case err != nil: // of a value that cannot be decoded, or whose handles cannot come now
			w.lost = err
		case c.Kind == commandSegment:
			w.segments[c.No] = c.Segment
		case c.Kind == commandDrop:
			if s := w.segments[c.No]; s != nil {
				_ = s.Close()
				delete(w.segments, c.No)
			}
		case c.Kind == commandTask:
			w.tasks[c.No], _ = executor.Lookup(c.Name)
		case c.Kind == commandValue:
			w.values[c.ID], w.arrived = c.Value, c.ID
		case c.Kind == commandSent:
			if w.arrived != c.ID {
				w.values[c.ID] = fmt.Errorf("receive the argument: %w", w.lost)
			}
		case c.Kind == commandCarry:
			w.carried[c.ID], _ = c.Value.([]string)
		case c.Kind == commandCancel:
			if w.running == c.ID {
				cause, _ := c.Value.(error)
				w.cancel(cause)
			}
		}
		ended, failed := w.ended, err != nil
		close(w.changed)
		w.changed = make(chan struct{})
		w.mu.Unlock()
		if ended {
			return
		}
		if failed {
			time.Sleep(lostDelay)
		}
	}
}

// renew makes a new context for the items that follow. mu is held.
func (w *workshop) renew() {
	if w.cancel != nil {
		w.cancel(nil)
	}
	w.ctx, w.cancel = context.WithCancelCause(w.base)
}

// await waits for something that comes over control. get is called with mu held.
func (w *workshop) await(what string, get func() bool) error {
	w.mu.Lock()
	for !get() {
		if w.ended {
			w.mu.Unlock()
			return fmt.Errorf("%s has not come: %w", what, io.EOF)
		}
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-w.base.Done():
			return context.Cause(w.base)
		}
		w.mu.Lock()
	}
	w.mu.Unlock()
	return nil
}

func (w *workshop) memory(r ref) (b []byte, err error) {
	err = w.await("a segment", func() bool {
		s := w.segments[uint32(r.Segment)]
		if s != nil {
			b = s.Elements()
		}
		return s != nil
	})
	if err != nil {
		return nil, err
	}
	from, to := r.Off, r.Off+r.Len
	if to > uint64(len(b)) || to < from {
		return nil, fmt.Errorf("segment %d has %d bytes, not %d: %w", r.Segment, len(b), to, mp.ErrCorrupt)
	}
	return b[from:to:to], nil
}

// serve carries out orders until there are no more.
func (w *workshop) serve() {
	for w.err == nil {
		o, err := w.receive()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				w.err = err
			}
			return
		}
		if w.err = w.begin(o); w.err == nil {
			w.goOn()
		}
	}
}

func (w *workshop) receive() (order, error) {
	if len(w.later) > 0 {
		o := w.later[0]
		w.later = w.later[1:]
		return o, nil
	}
	o, err := w.lane.TryRecv()
	if !errors.Is(err, mp.ErrEmpty) {
		return o, err
	}
	w.flush(w.idleSince)
	return w.lane.Recv(w.base)
}

// errand is an order that is being carried out.
type errand struct {
	order
	runner   executor.Runner
	args     []byte
	rest     []byte // of args, if they have different sizes
	size     int    // of each argument, -1: each begins with its own
	value    any    // the argument of an orderValue
	carried  []string
	first    region
	out      region // the one that has room
	progress executor.Progress
	claimed  int // items
	failures int
	values   int
	began    time.Time
	calling  bool
}

func (w *workshop) begin(o order) error {
	e := &w.errand // an order does not leave garbage
	*e = errand{order: o}
	b, err := w.memory(o.Region)
	if err != nil {
		return err
	}
	e.first = regionAt(b)
	e.use(e.first)
	e.progress.At = (*uint64)(unsafe.Pointer(e.first.at))
	err = w.await("the name of a task", func() bool {
		_, ok := w.tasks[o.Task]
		e.runner = w.tasks[o.Task]
		return ok
	})
	if err != nil {
		return err
	}
	if e.runner == nil {
		return errors.New("this program has no task of that name")
	}
	e.size = e.runner.ArgSize()
	if o.Kind == orderValue {
		err = w.await("an argument", func() (ok bool) {
			e.value, ok = w.values[o.ID]
			delete(w.values, o.ID)
			return ok
		})
	} else {
		e.args, err = w.memory(o.Args)
		e.rest = e.args
	}
	if err == nil && o.Carried != 0 {
		err = w.await("values of the context", func() (ok bool) {
			e.carried, ok = w.carried[o.ID]
			delete(w.carried, o.ID)
			return ok
		})
	}
	e.began = time.Now()
	w.mu.Lock()
	w.now, w.running = e, o.ID
	w.mu.Unlock()
	failpoint.Hit("pool.order.begun")
	return err
}

// goOn carries out what is left of the order that was begun.
func (w *workshop) goOn() {
	e := w.now
	if e == nil {
		return
	}
	if e.calling { // the item before has ended its goroutine
		e.calling = false
		w.put(e, executor.AppendPanic(nil, nil), nil)
	}
	for w.err == nil && w.claim(e) {
		failpoint.Hit("pool.item.claimed")
		e.calling = true
		record, value := w.call(e)
		e.calling = false
		failpoint.Hit("pool.item.done")
		if record != nil || value != nil {
			w.put(e, record, value)
		}
	}
	if w.err != nil { // it is not done
		return
	}
	w.mu.Lock()
	w.now, w.running = nil, 0
	if w.ctx.Err() != nil {
		w.renew()
	}
	w.mu.Unlock()
	now := time.Now()
	n := note{
		ID: e.ID, Kind: noteDone, Waited: int64(e.began.Sub(w.idleSince)), Worked: int64(now.Sub(e.began)), RSS: w.rss(now),
	}
	w.idleSince = now
	failpoint.Hit("pool.order.done")
	w.notes = append(w.notes, n)
	if now.Sub(w.told) > noteDelay {
		w.flush(now)
	}
}

// noteDelay is for how long notes are kept while there are more orders, so that
// the pool is not woken for each of them.
const noteDelay = 50 * time.Microsecond

func (w *workshop) flush(now time.Time) {
	w.told = now
	for _, n := range w.notes {
		w.send(n)
	}
	w.notes = w.notes[:0]
}

// claim sees to it that the worker has an item, or reports that there is none.
func (w *workshop) claim(e *errand) bool {
	if e.progress.Count < e.claimed {
		return true
	}
	_, to, killed := e.first.claim(max(1, int(e.Claim)))
	if killed {
		select {} // SIGKILL is on its way
	}
	e.claimed = to
	return e.progress.Count < to
}

// call calls the function with the next item, or the next few that were claimed. It
// returns the record of the last one unless that is in its place already.
func (w *workshop) call(e *errand) (record []byte, value any) {
	ctx, b := w.ctx, e.out.records[e.progress.Used:]
	if e.carried != nil {
		ctx = executor.Extract(ctx, e.carried)
	}
	if e.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(e.Timeout))
		defer cancel()
	}
	switch {
	case e.Kind == orderValue:
		e.progress.Begin(1)
		if err, ok := e.value.(error); ok { // in the argument's place, see outbox
			return executor.AppendFailure(nil, err), nil
		}
		return e.runner.CallValue(ctx, e.value, b[:0])
	case e.size > 0:
		return e.runner.CallAll(ctx, e.args[e.progress.Count*e.size:e.claimed*e.size], b, &e.progress)
	}
	e.progress.Begin(1) // first: what cannot be cut off costs this item
	var arg []byte
	arg, e.rest = cutArgument(e.rest, e.size)
	return e.runner.Call(ctx, arg, b[:0])
}

// cutArgument takes the first argument off b.
func cutArgument(b []byte, size int) (arg, rest []byte) {
	if size < 0 {
		size, b = argumentSize(b)
	}
	return b[:size], b[size:]
}

// put puts a record where the pool finds it.
func (w *workshop) put(e *errand, record []byte, value any) {
	if value != nil {
		if err := w.control.Send(w.base, report{e.ID, uint32(e.progress.Count), value}); err != nil {
			record = executor.AppendFailure(nil, fmt.Errorf("send the result: %w", err))
		} else {
			record = executor.AppendValue(nil)
			e.values++
			e.first.values.Store(uint64(e.values))
		}
	}
	if len(record) > len(e.out.records)-e.progress.Used {
		w.room(e, len(record))
		if w.err != nil {
			return
		}
	}
	if at := e.out.records[e.progress.Used:]; &at[0] != &record[0] { // not written there by Call
		copy(at, record)
	}
	if executor.IsFailure(record) {
		e.failures++
		e.first.failures.Store(uint64(e.failures))
	}
	e.progress.End(len(record))
	failpoint.Hit("pool.item.published")
}

// use makes a region the one for the records that follow.
func (e *errand) use(r region) {
	e.out = r
	e.progress.Used = 0
	e.progress.Done = (*uint64)(unsafe.Pointer(r.done))
}

// room asks for a region that has room for n bytes more.
func (w *workshop) room(e *errand, n int) {
	failpoint.Hit("pool.room")
	w.flush(w.told)
	w.send(note{ID: e.ID, Kind: noteRoom, Need: uint64(n)})
	for w.err == nil {
		o, err := w.lane.Recv(w.base)
		if err != nil {
			w.err = err
			return
		}
		if o.Kind != orderRoom || o.ID != e.ID {
			w.later = append(w.later, o)
			continue
		}
		b, err := w.memory(o.Region)
		if err != nil {
			w.err = err
			return
		}
		e.use(regionAt(b))
		return
	}
}

func (w *workshop) send(n note) {
	if err := w.lane.Send(w.base, n); err != nil {
		w.err = err
	}
}

// rss is the resident memory of this process alone, looked at ten times a second.
func (w *workshop) rss(now time.Time) int64 {
	if now.Sub(w.looked) < 100*time.Millisecond {
		return 0
	}
	w.looked = now
	n, err := machine.Resident(os.Getpid())
	if err != nil {
		return 0
	}
	return n
}
