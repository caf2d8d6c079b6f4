package pool

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"multiproc/mp/executor"
)

// ErrTooManyFailures ends a call whose items have failed as often as
// Call.MaxFailures allows.
var ErrTooManyFailures = errors.New("too many items failed")

// stream is a call: items that go in, and results that come out.
type stream struct {
	p      *Pool
	job    executor.Job
	c      Call
	pinned *hand // the only worker that may have the items; nil: any
	unhook func() bool

	// The feeder's:
	index int // of the next item
	block *block
	hint  int // bytes of the last argument

	window   atomic.Int64
	consumed atomic.Int64 // items whose results have been given out
	held     atomic.Int64 // bytes of blocks
	shut     atomic.Bool  // no more items are wanted
	room     chan struct{}
	ready    chan struct{}

	// Under the pool's lock:
	blocks    []*block // that have items to take, or may have
	returned  []run    // taken before, and to be carried out again, or values
	values    []run
	ended     bool // all items were put
	total     int  // of them, then
	settled   int  // items that have a result, or need none any more
	out       int  // items that workers have
	closed    bool
	cause     error
	given     chan struct{} // closed with it; nil until somebody waits for a value
	gone      bool          // it is not among the pool's any more
	deaths    map[int]int   // of items, how many workers have died of them
	barren    map[int]int   // and how many before they had begun them
	results   results
	current   piece  // what Next has returned last
	failures  int    // that Next has returned
	pace      *pace  // of the task
	queued    bool   // it is in Pool.queue
	number    int    // see Event.Call
	waits     bool   // whoever has submitted the item is about to call Wait
	hand      *hand  // that was given an order last
	interrupt func() // ends the Recv of Wait
	fixed     int    // items that an order has, 0 for as many as seems right
	result    int    // bytes that one is likely to have
	bucket    bucket
	keys      keys
}

// piece is results with the memory that they lie in.
type piece struct {
	executor.Results
	is     *issued // nil if there is none
	value  chan any
	values *values
}

func newStream(p *Pool, job executor.Job, c Call, pinned *hand) *stream {
	s := &stream{p: p, job: job, c: c, pinned: pinned, room: make(chan struct{}, 1), ready: make(chan struct{}, 1)}
	s.results.ordered = job.Ordered
	s.waits = job.Wait
	if s.fixed = c.Chunk; job.Deliver != nil {
		s.fixed = 1
	}
	s.bucket = bucket{rate: c.Rate, burst: float64(max(c.Burst, 1))}
	s.window.Store(int64(cmp.Or(c.Window, minWindow)))
	return s
}

// answer is the result of an item that has none. mu is held.
func (s *stream) answer(index int, err error, worker string, pid int) {
	s.push(piece{Results: executor.Results{First: index, Count: 1, Err: err, Worker: worker, PID: pid, Failures: 1}})
}

// push hands results on. mu is held.
func (s *stream) push(r piece) {
	s.settled += r.Count
	if s.pinned == nil {
		s.p.total.Items += r.Count
		s.p.total.Failed += r.Failures
		s.p.event(s, Event{Kind: ItemsDone, Worker: r.Worker, PID: r.PID, Count: r.Count, Failed: r.Failures, Err: r.Err})
	}
	if s.closed {
		s.unpin(r)
		s.settle()
		return
	}
	if s.job.Deliver != nil {
		s.p.deliveries = append(s.p.deliveries, delivery{s, r})
		s.closed = true // a single item
		s.settle()
		return
	}
	s.results.push(r)
	s.settle()
	s.wake()
}

// settle takes the stream off the pool's list if there is nothing more to do. mu
// is held.
func (s *stream) settle() {
	switch {
	case s.gone, s.closed && s.out > 0, !s.closed && (!s.ended || s.settled < s.total):
		return
	}
	s.gone = true
	s.p.remove(s)
	if s.unhook != nil {
		s.unhook()
	}
}

func (s *stream) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// fetch waits for a value that is under way, or until given is closed, which may be
// nil.
func (r *piece) fetch(given <-chan struct{}) {
	if r.value != nil {
		r.Value, r.Err = r.values.wait(r.value, given)
	}
}

// unpin gives the memory of results back. mu is held.
func (s *stream) unpin(r piece) {
	if r.is != nil {
		r.is.pins--
		s.p.free(r.is)
	}
}

// Next implements executor.Stream.
func (s *stream) Next() (executor.Results, error) {
	s.p.mu.Lock()
	s.consume()
	for {
		if s.closed {
			err := s.cause
			s.p.unlock()
			s.heard()
			if err == nil {
				err = io.EOF
			}
			return executor.Results{}, err
		}
		if s.results.head < len(s.results.ready) {
			s.current = s.results.pop()
			if s.current.value != nil && s.given == nil {
				s.given = make(chan struct{})
			}
			s.p.unlock()
			if s.current.fetch(s.given); s.current.value != nil && errors.Is(s.current.Err, ErrGivenUp) {
				s.p.mu.Lock()
				continue // it is closed
			}
			return s.current.Results, nil
		}
		if s.ended && s.settled == s.total {
			s.p.unlock()
			s.heard()
			return executor.Results{}, io.EOF
		}
		s.p.unlock()
		<-s.ready
		s.p.mu.Lock()
	}
}

// heard returns when the observers have been told of what was noted so far. mu is
// not held.
func (s *stream) heard() {
	p := s.p
	if s.c.Observe == nil && p.o.Observe == nil {
		return
	}
	p.mu.Lock()
	noted := p.noted
	p.mu.Unlock()
	p.observe()
	_ = p.await(context.Background(), func() bool { return p.told >= noted })
}

// consume counts what Next has returned last as consumed. mu is held.
func (s *stream) consume() {
	r := s.current
	if r.Count == 0 {
		return
	}
	s.current = piece{}
	s.unpin(r)
	s.consumed.Add(int64(r.Count))
	if s.failures += r.Failures; s.c.MaxFailures > 0 && s.failures >= s.c.MaxFailures && r.Failures > 0 {
		s.close(ErrTooManyFailures)
	}
	s.letIn()
}

// Close implements executor.Stream.
func (s *stream) Close(cause error) {
	s.p.mu.Lock()
	s.close(cause) // what Next has returned may be in use
	s.p.unlock()
}

// close gives up what is not done. mu is held.
func (s *stream) close(cause error) {
	if s.closed {
		return
	}
	if s.job.Deliver != nil {
		// The item is answered now, and what its worker says of it later is not
		// listened to.
		if cause == nil {
			cause = ErrStopped
		}
		s.p.deliveries = append(s.p.deliveries, delivery{s, piece{Results: executor.Results{Count: 1, Err: cause}}})
	}
	s.closed, s.cause = true, cause
	if s.given != nil {
		close(s.given)
	}
	s.shut.Store(true)
	s.stopWaiting()
	s.letIn()
	s.wake()
	for _, r := range s.results.all() {
		s.unpin(r)
	}
	s.forget()
	for _, h := range s.p.hands {
		for _, is := range h.orders {
			if is.s == s {
				h.withdraw(is, cause)
			}
		}
	}
	s.settle()
	s.p.fill()
}

// forget drops what has not been given to a worker. mu is held.
func (s *stream) forget() {
	for _, waiting := range s.keys {
		s.values = append(s.values, waiting...)
	}
	s.keys = nil
	for {
		r, ok := s.take(maxItems)
		if !ok {
			return
		}
		s.drop(r)
	}
}

// drop counts items as settled that nobody wants a result of. mu is held.
func (s *stream) drop(r run) {
	s.settled += r.n
	s.freeKey(r)
	if r.block != nil {
		r.block.settled += r.n
		s.free(r.block)
	}
}

// pending is how many items wait for a worker, up to a block's worth. mu is held.
func (s *stream) pending() (n int) {
	for _, r := range s.returned {
		n += r.n
	}
	n += len(s.values)
	for _, b := range s.blocks {
		k, _ := b.available()
		n += k
	}
	return n
}

// take takes up to n items that wait. mu is held.
func (s *stream) take(n int) (r run, ok bool) {
	// The oldest first, or an endless input would let some wait for ever.
	if len(s.values) > 0 && !s.before(s.values[0].first) {
		r = s.values[0]
		s.values = s.values[1:]
		return r, true
	}
	if len(s.returned) > 0 {
		first := &s.returned[0]
		r = first.cut(n, s.job.ArgSize)
		if first.n == 0 {
			s.returned = s.returned[1:]
		}
		return r, true
	}
	for len(s.blocks) > 0 {
		b := s.blocks[0]
		if k, _ := b.available(); k > 0 {
			return b.take(n, s.job.ArgSize), true
		}
		if !b.sealed {
			break
		}
		s.blocks = s.blocks[1:]
	}
	return run{}, false
}

// before reports whether an item waits in another way that is older than one that
// was put for itself. mu is held.
func (s *stream) before(index int) bool {
	if len(s.returned) > 0 {
		return s.returned[0].first < index
	}
	for _, b := range s.blocks {
		if n, _ := b.available(); n > 0 {
			return b.first+b.taken < index
		}
	}
	return false
}

// observe learns how long items take. mu is held.
func (s *stream) observe(items int, worked, beyond time.Duration) {
	s.pace.observe(items, worked, beyond)
	s.widen()
}

// widen sets the window to what suits the pace. mu is held.
func (s *stream) widen() {
	if s.c.Window == 0 {
		s.window.Store(int64(s.pace.window(s.fixed, s.p.target)))
		s.letIn()
	}
}

// claim is how many items a worker may claim at once. What it has claimed cannot
// be taken back, nor be told apart by who wants to kill it at one item and not at
// the next.
func (s *stream) claim() uint32 {
	if s.c.single() || !s.pace.known || s.pace.item > maxClaimTime/2 {
		return 1
	}
	return uint32(min(maxClaimTime/max(s.pace.item, 1), maxClaim))
}

const (
	maxClaimTime = 1000 // nanoseconds
	maxClaim     = 64
)

// resultSize learns how large results are: bytes of n of them.
func (s *stream) resultSize(bytes, n int) { s.result = max(bytes/n, s.result-s.result/8) }

// hintResults is the room for n results that is likely to do.
func (s *stream) hintResults(n int) int {
	if s.result == 0 {
		return n*(executor.Head+32) + 128
	}
	return n*(s.result+s.result/8) + 128
}

// giveBack takes items back that a worker did not begin. mu is held.
func (s *stream) giveBack(r run, why error) {
	switch {
	case s.closed:
		s.drop(r)
	case s.pinned != nil: // to a worker that is gone
		if why == nil {
			why = ErrStopped
		}
		s.p.fail(s, r, why)
	default:
		s.restore(r)
	}
}

// restore puts items back that a worker was given. mu is held.
func (s *stream) restore(r run) {
	s.returned = append(s.returned, r)
	s.p.queue.add(s)
}

// inVain counts workers that have died before they had begun an item that was next.
// One by one that is nothing to the item; if it goes on like that it is why, for its
// argument kills who decodes it. mu is held.
func (s *stream) inVain(index int) bool {
	if s.barren == nil {
		s.barren = map[int]int{}
	}
	s.barren[index]++
	return s.barren[index] >= maxBarren
}

const maxBarren = 16

// again reports whether an item whose worker died runs again, and sees to it. mu
// is held.
func (s *stream) again(r run, err *WorkerDiedError) bool {
	if s.deaths == nil {
		s.deaths = map[int]int{}
	}
	before := s.deaths[r.first]
	err.Deaths = before + 1
	s.deaths[r.first] = err.Deaths
	c := &s.c.Retry
	want := c.If
	if want == nil {
		want = retryable
	}
	if before >= c.Max || err.Deaths >= cmp.Or(c.MaxDeaths, maxDeaths) || s.pinned != nil || !want(err) {
		delete(s.deaths, r.first)
		return false
	}
	delay := c.delay(before)
	s.p.total.Retried++
	s.p.event(s, Event{Kind: ItemRetried, Worker: err.Worker, PID: err.PID, Index: err.Index, Delay: delay, Err: err})
	if delay == 0 {
		s.restore(r)
		return true
	}
	time.AfterFunc(delay, func() {
		s.p.mu.Lock()
		s.giveBack(r, nil)
		s.settle()
		s.p.fill()
		s.p.unlock()
	})
	return true
}
