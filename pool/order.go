package pool

import (
	"context"
	"fmt"
	"slices"
	"time"

	"multiproc/mp"
	"multiproc/mp/executor"
)

// issued is an order that a worker has.
type issued struct {
	id        uint64
	s         *stream
	run       run
	block     *block  // that it mentions, nil for a value
	region    region  // with its place
	spans     []span  // all regions; the last one has room
	room      [1]span // the first of spans, without another allocation
	out       region
	count     int // items whose records were harvested, in all
	at        int // bytes of those in out
	sent      time.Time
	alone     bool // the worker had nothing else to do
	finished  bool
	again     bool // its item runs again
	pins      int  // pieces of results that lie in it
	watched   int  // item that was seen running
	since     time.Time
	cpu       time.Duration // that the worker had used by then
	memory    int64         // that it had when it was killed for it
	arg       string        // the first argument, if it took long
	end       int           // items that the worker was left
	killAt    time.Time     // if it is not finished by then
	withdrawn bool
	corrupt   bool
	began     time.Time // it was seen to be what the worker is at
	had       int       // results that it had then
	cause     error
}

// free gives an order back that is finished and whose results were read. mu is held.
func (p *Pool) free(is *issued) {
	if !is.finished || is.pins > 0 || is.spans == nil {
		return
	}
	for _, s := range is.spans {
		p.memory.release(s)
	}
	if *is = (issued{}); len(p.old) < maxOld {
		p.old = append(p.old, is)
	}
}

// maxOld is how many orders are kept to be used again.
const maxOld = 1 << 12

// newOrder returns an order that is empty. mu is held.
func (p *Pool) newOrder() *issued {
	last := len(p.old) - 1
	if last < 0 {
		return &issued{}
	}
	is := p.old[last]
	p.old = p.old[:last]
	return is
}

// issue gives the worker an order. mu is held.
func (h *hand) issue(s *stream, r run, now time.Time) {
	p := h.p
	p.orders++
	is := p.newOrder()
	*is = issued{id: p.orders, s: s, run: r, end: r.n, watched: -1, sent: now, alone: len(h.orders) == 0}
	size := s.hintResults(r.n)
	room, err := p.memory.alloc(regionHead + size)
	if err != nil {
		p.fail(s, r, err)
		return
	}
	is.room[0] = room
	is.spans = is.room[:]
	is.region = regionAt(room.bytes())
	is.region.reset(r.n, 0)
	is.out = is.region
	o := order{ID: is.id, Region: room.ref(), Task: h.task(s.job.Task), Claim: s.claim(), Timeout: int64(s.c.Timeout)}
	if len(s.job.Carried) > 0 {
		o.Carried = 1
		h.tell(command{Kind: commandCarry, ID: is.id, Value: s.job.Carried})
	}
	h.know(room)
	if is.block = r.block; is.block != nil {
		is.block.held++
	}
	if r.value == nil {
		o.Args = ref{uint64(r.block.span.seg.no), uint64(r.block.span.off + r.off), uint64(r.len)}
		h.know(r.block.span)
	} else {
		o.Kind = orderValue
	}
	if h.group != nil {
		h.bound(s)
	}
	h.orders = append(h.orders, is)
	s.out += r.n
	if h.left > 0 && s.pinned == nil {
		if h.left -= r.n; h.nearEnd() {
			p.staff()
		}
	}
	s.hand = h
	h.listenTo(s)
	_ = h.lane.TrySend(o) // a worker that is dead is buried soon, and its orders come back
	if r.value != nil {
		h.tell(command{Kind: commandValue, ID: is.id, Value: r.value})
	}
	p.tick(now)
}

// know sees to it that the worker has the segment that a span is in. mu is held.
func (h *hand) know(s span) {
	if !h.segments[s.seg.no] {
		h.segments[s.seg.no] = true
		h.tell(command{Kind: commandSegment, No: s.seg.no, Segment: s.seg.array})
	}
}

// task is the number of a task, which the worker is told of. mu is held.
func (h *hand) task(name string) uint32 {
	no, ok := h.p.tasks[name]
	if !ok {
		no = uint32(len(h.p.tasks) + 1)
		h.p.tasks[name] = no
	}
	if !h.tasks[no] {
		h.tasks[no] = true
		h.tell(command{Kind: commandTask, No: no, Name: name})
	}
	return no
}

// note takes a note of the worker. mu is held.
func (h *hand) note(n note, now time.Time) {
	if n.Kind == noteReady {
		h.stats.Starting = now.Sub(h.since)
		h.since = now
		go h.setUp()
		return
	}
	i := slices.IndexFunc(h.orders, func(is *issued) bool { return is.id == n.ID })
	if i < 0 {
		return
	}
	is := h.orders[i]
	if n.Kind == noteRoom {
		if n.Need > maxNeed {
			h.corrupt(is, "wants room for %d bytes", n.Need)
			return
		}
		h.makeRoom(is, int(n.Need))
		return
	}
	h.p.slow(h, is, time.Duration(n.Worked)) // while its arguments are there
	h.harvest(is)
	if is.count != is.run.n {
		h.corrupt(is, "is done with %d items, of which %d have results", is.run.n, is.count)
		return
	}
	h.orders = slices.Delete(h.orders, i, i+1)
	beyond := time.Duration(-1)
	if is.alone {
		beyond = now.Sub(is.sent) - time.Duration(n.Worked)
	}
	is.s.observe(is.count, time.Duration(n.Worked), beyond)
	h.stats.Waiting += time.Duration(n.Waited)
	h.stats.Working += time.Duration(n.Worked)
	if n.RSS > 0 {
		h.stats.RSS = n.RSS
	}
	h.conclude(is)
	if m := h.p.o.MaxRSS; m > 0 && n.RSS > m && !h.leaving {
		h.left = 0
	}
	if h.left == 0 && !h.leaving {
		h.leave()
	}
	if len(h.orders) == 0 {
		h.since = now
		if h.leaving {
			h.dismiss()
		}
	}
}

// conclude ends an order that no worker has any more. mu is held.
func (h *hand) conclude(is *issued) {
	is.finished = true
	if !is.again {
		is.s.freeKey(is.run)
	}
	s := is.s
	if b := is.block; b != nil {
		b.held--
		s.free(b)
	}
	h.p.free(is)
	s.settle()
}

// makeRoom gives an order a region for results that do not fit into its last. mu
// is held.
func (h *hand) makeRoom(is *issued, need int) {
	h.harvest(is)
	rest := max(is.end-is.count-1, 0)
	span, err := h.p.memory.alloc(regionHead + need + rest*(need/4+64))
	if err != nil {
		span, err = h.p.memory.alloc(regionHead + need)
	}
	if err != nil {
		h.kill(err)
		return
	}
	is.spans = append(is.spans, span)
	is.out, is.at = regionAt(span.bytes()), 0
	is.out.reset(0, is.count)
	h.know(span)
	_ = h.lane.TrySend(order{Kind: orderRoom, ID: is.id, Region: span.ref()})
}

// harvest takes the results that the worker has published. mu is held.
func (h *hand) harvest(is *issued) {
	count, bytes := is.out.published()
	if count <= is.count {
		return
	}
	if count > is.run.n || bytes > len(is.out.records) || bytes < is.at {
		h.corrupt(is, "says that %d of %d items are done, with %d bytes", count, is.run.n, bytes)
		return
	}
	b := is.out.records[is.at:bytes]
	first, n := is.run.first+is.count, count-is.count
	is.count, is.at = count, bytes
	h.settle(is, n)
	h.stats.Items += n
	is.s.resultSize(len(b), n)
	if is.region.failures.Load() == 0 && is.region.values.Load() == 0 {
		h.push(is, first, n, b, 0)
		return
	}
	// Record by record: failures are counted, and a value stands alone.
	from, k, failures := 0, 0, 0
	for at := 0; at < len(b); {
		size, failure, value := executor.Skip(b[at:])
		if size == 0 {
			break
		}
		if value {
			h.push(is, first, k, b[from:at], failures)
			h.pushValue(is, first+k)
			first, from, k, failures = first+k+1, at+size, 0, 0
		} else if k++; failure {
			failures++
		}
		at += size
	}
	// All that are left, also if the records do not say so: whoever reads them finds out.
	h.push(is, first, is.run.first+is.count-first, b[from:], failures)
}

// corrupt ends a worker that has written of an order what no worker writes. The order's
// next item counts as the one that it was at, or one worker after the other might be
// given it. mu is held.
func (h *hand) corrupt(is *issued, format string, args ...any) {
	is.corrupt = true
	h.kill(fmt.Errorf("%s %s: %w", h.name, fmt.Sprintf(format, args...), mp.ErrCorrupt))
}

// maxNeed is more than a result can have.
const maxNeed = 1 << 40

// settle counts items whose fate is known. mu is held.
func (h *hand) settle(is *issued, n int) {
	is.s.out -= n
	if b := is.run.block; b != nil {
		b.settled += n
		is.s.free(b)
	}
}

func (h *hand) push(is *issued, first, n int, records []byte, failures int) {
	if n == 0 {
		return
	}
	is.pins++
	is.s.push(piece{
		Results: executor.Results{First: first, Count: n, Records: records, Worker: h.name, PID: h.proc.PID(), Failures: failures},
		is:      is,
	})
}

func (h *hand) pushValue(is *issued, index int) {
	is.s.push(piece{
		Results: executor.Results{First: index, Count: 1, Worker: h.name, PID: h.proc.PID()},
		value:   h.values.of(valueKey{is.id, uint32(index - is.run.first)}), values: &h.values,
	})
}

// takeBack takes items back that the worker has not begun, but for keep. mu is
// held.
func (h *hand) takeBack(is *issued, keep int) (run, bool) {
	from, to := is.region.takeBack(keep)
	if to = min(to, is.run.n); from >= to {
		return run{}, false
	}
	if from < is.count {
		h.corrupt(is, "has begun %d items, of which %d have results", from, is.count)
		return run{}, false
	}
	is.s.out -= to - from
	is.s.hand = nil
	is.s.stopWaiting()
	is.end = from
	rest := is.run
	if from == 0 {
		is.run = run{first: rest.first}
	} else {
		is.run = rest.cut(from, is.s.job.ArgSize)
	}
	return rest, true
}

// withdraw gives an order up: what has not begun never does, and what runs is
// asked to end. mu is held.
func (h *hand) withdraw(is *issued, cause error) {
	if is.withdrawn {
		return
	}
	is.withdrawn, is.cause = true, cause
	if r, ok := h.takeBack(is, 0); ok {
		is.s.drop(r)
	}
	if cause == nil {
		cause = context.Canceled
	}
	h.tell(command{Kind: commandCancel, ID: is.id, Value: cause})
	is.killAt = time.Now().Add(h.graceOf(is))
	h.p.tick(time.Now())
}

// running is the item that the worker is at, or -1.
func (is *issued) running() int {
	done, _ := is.out.published()
	if at := int(is.region.at.Load()); at > done {
		return done
	}
	return -1
}

func (h *hand) graceOf(is *issued) time.Duration {
	switch g := is.s.c.Grace; {
	case g == 0:
		return h.grace()
	case g < 0:
		return 0
	default:
		return g
	}
}
