package pool

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// delivery are results for who has submitted an item.
type delivery struct {
	s *stream
	r piece
}

// unlock gives the lock back, and then results to those who have submitted items,
// and events to observers. It reports whether there were results.
func (p *Pool) unlock() bool {
	list, events := p.deliveries, len(p.events)
	p.deliveries = nil
	p.mu.Unlock()
	if events > 0 {
		p.observe()
	}
	for _, d := range list {
		if d.r.value != nil { // which may take a while to come
			go d.deliver()
		} else {
			d.s.job.Deliver(d.r.Results)
		}
	}
	if len(list) == 0 {
		return false
	}
	p.mu.Lock()
	for _, d := range list {
		d.s.unpin(d.r)
	}
	p.mu.Unlock()
	return true
}

// deliver waits for a value, and gives it to who has submitted the item.
func (d *delivery) deliver() {
	d.r.fetch(nil)
	d.s.job.Deliver(d.r.Results)
}

// fill gives orders to workers that take some. mu is held.
func (p *Pool) fill() {
	// First those that have nothing to do.
	now := time.Now()
	for _, h := range p.hands {
		if len(h.orders) == 0 {
			p.fillHand(h, now)
		}
	}
	for _, h := range p.hands {
		p.fillHand(h, now)
		h.count()
	}
	if p.o.Idle > 0 {
		p.staff() // there may be more to do than workers
	}
}

func (p *Pool) fillHand(h *hand, now time.Time) {
	h.filling = false
	for ; ; h.filling = true {
		s, n := p.choose(h)
		if s == nil {
			if len(h.orders) > 0 || !p.steal(h, now) {
				return
			}
			continue
		}
		r, ok := s.take(n)
		s.bucket.giveBack(n - r.n)
		if !ok {
			return
		}
		h.issue(s, r, now)
	}
}

// choose returns the stream whose turn it is to give h an order, and how many items
// of it. mu is held.
func (p *Pool) choose(h *hand) (*stream, int) {
	for range p.queue.len() {
		s := p.queue.next()
		waiting := s.pending()
		switch {
		case s.closed, waiting == 0 && s.ended:
			p.queue.remove()
			continue
		case waiting == 0, !h.takes(s), !p.admits(h, s):
			continue
		}
		n := s.pace.chunk(s.fixed, waiting, p.target)
		if len(h.orders) > 0 && waiting < n && !s.ended {
			continue // it has something to do, and there may soon be more
		}
		if h.left > 0 {
			n = min(n, h.left)
		}
		if n = s.allow(n); n > 0 {
			return s, n
		}
	}
	return nil, 0
}

// queue are streams in turn.
type queue struct {
	list []*stream
}

func (q *queue) len() int { return len(q.list) }

// add puts a stream at the end, if it is not there.
func (q *queue) add(s *stream) {
	if !s.queued {
		s.queued = true
		q.list = append(q.list, s)
	}
}

// next returns the first, which becomes the last.
func (q *queue) next() *stream {
	s := q.list[0]
	if len(q.list) == 1 {
		return s
	}
	q.list = append(q.list[1:], s)
	return s
}

// remove takes the last out, which next has returned.
func (q *queue) remove() {
	end := len(q.list) - 1
	q.list[end].queued = false
	q.list[end] = nil
	q.list = q.list[:end]
}

// steal takes items back from another worker for h, which has nothing to do. mu is
// held.
func (p *Pool) steal(h *hand, now time.Time) bool {
	if !h.ready || h.spare || h.leaving || h.dead || h.left == 0 {
		return false
	}
	var best *issued
	var from *hand
	most, keep := 0, 0
	for _, o := range p.hands {
		for i, is := range o.orders {
			if s := is.s; s.pinned != nil || s.closed || o == h || s.c.Rate > 0 || !p.admits(h, s) {
				continue
			}
			next, end := splitPlace(is.region.place.Load())
			n := end - next
			if n <= most {
				continue
			}
			// What waits behind an order is better off here; of an order that runs,
			// a half, if that is worth the while.
			if i > 0 {
				best, from, most, keep = is, o, n, 0
				continue
			}
			rest := time.Duration(float64(n) * is.s.pace.item)
			if rest > minTarget && n > 1 || now.Sub(is.sent) > tickTime {
				best, from, most, keep = is, o, n, n/2
			}
		}
	}
	if best == nil {
		return false
	}
	r, ok := from.takeBack(best, keep)
	if ok {
		best.s.restore(r)
		if from.receiver == nobody { // who was about to wait will wait for h
			from.resume()
		}
	}
	return ok
}

// count keeps Pool.idle and Pool.open. mu is held.
func (h *hand) count() {
	able := h.ready && !h.spare && !h.leaving && !h.dead
	now := counted{idle: able && len(h.orders) == 0, open: able && len(h.orders) < 2}
	if now.idle != h.counted.idle {
		if h.p.idle.Add(one(now.idle)); now.idle {
			h.p.kick() // an item may have come since it was looked for
		}
	}
	if now.open != h.counted.open {
		h.p.open.Add(one(now.open))
	}
	h.counted = now
}

func one(up bool) int32 {
	if up {
		return 1
	}
	return -1
}

// fail answers items that cannot be carried out. mu is held.
func (p *Pool) fail(s *stream, r run, err error) {
	for i := range r.n {
		s.answer(r.first+i, err, "", 0)
	}
	if r.block != nil {
		r.block.settled += r.n
		s.free(r.block)
	}
	s.freeKey(r)
}

// remove takes a stream off the list. mu is held.
func (p *Pool) remove(s *stream) {
	if s.pinned == nil {
		p.calls--
		why := s.cause
		if s.closed && why == nil && s.job.Deliver == nil {
			why = ErrGivenUp
		}
		p.event(s, Event{Kind: CallEnded, Err: why})
	}
	delete(p.streams, s)
	p.tell()
}

// dismiss ends all workers when they have done what they have. mu is held.
func (p *Pool) dismiss() {
	p.ending = true
	for _, h := range p.hands {
		if !h.leaving {
			h.leave()
		}
	}
}

// staff starts the workers that are missing, and ends those that are too many. mu
// is held.
func (p *Pool) staff() {
	if p.ending {
		return
	}
	working, spare := 0, 0
	for _, h := range p.hands {
		switch {
		case h.leaving || h.dead:
		case h.spare:
			spare++
		default:
			working++
		}
	}
	want := p.wanted(working)
	for _, h := range p.hands { // spares take the place of those that are gone
		if working < want && h.spare && !h.leaving && !h.dead && h.ready {
			h.spare = false
			working++
			spare--
		}
	}
	for i := len(p.hands) - 1; i >= 0 && working > want; i-- {
		if h := p.hands[i]; !h.leaving && !h.dead && !h.spare {
			h.leave() // which sees to the rest
			return
		}
	}
	spares := p.o.Spares
	if spares == 0 && slices.ContainsFunc(p.hands, (*hand).nearEnd) {
		spares = 1 // it takes the place of that one without a pause
	}
	for working+spare < want+spares && p.mayStart() {
		h := p.newHand()
		if h.spare = working >= want; h.spare {
			spare++
		} else {
			working++
		}
		p.hands = append(p.hands, h)
		go p.hire(h)
	}
}

// nearEnd reports whether a worker has had three quarters of its items.
func (h *hand) nearEnd() bool {
	return h.left >= 0 && !h.leaving && !h.dead && 4*h.left <= h.p.o.MaxItems
}

// wanted is how many workers there should be that are given items.
func (p *Pool) wanted(working int) int {
	if p.o.Idle == 0 {
		return p.target
	}
	pending := 0
	for s := range p.streams {
		pending += s.pending()
	}
	busy := 0
	for _, h := range p.hands {
		if len(h.orders) > 0 && !h.leaving {
			busy++
		}
	}
	return min(p.target, max(p.o.Min, working, busy+pending))
}

// A worker that cannot begin counts as several that were killed, by whomever,
// before they had begun: there is a limit to both, or who waits would wait for ever.
const (
	cannotBegin      = 7
	maxStartFailures = 3 * cannotBegin
)

// mayStart reports whether a worker may be started now: after failures it takes a
// while. mu is held.
func (p *Pool) mayStart() bool {
	if p.failures < cannotBegin {
		return true
	}
	if p.failures >= maxStartFailures {
		err := fmt.Errorf("no worker can begin: %w", p.startErr)
		for s := range maps.Clone(p.streams) {
			if s.pinned == nil && !slices.ContainsFunc(p.hands, func(h *hand) bool { return h.ready }) {
				s.refuseAll(err)
			}
		}
	}
	if p.retry == nil {
		delay := min(startDelay<<min(p.failures/cannotBegin, 8), maxStartDelay)
		p.retry = time.AfterFunc(delay, func() {
			p.mu.Lock()
			p.retry = nil
			if n := p.failures; !p.ending {
				p.failures = 0 // for one attempt
				p.staff()
				p.failures = n
			}
			p.unlock()
		})
	}
	return false
}

const (
	startDelay    = 5 * time.Millisecond
	maxStartDelay = time.Second
)

// hire starts a worker.
func (p *Pool) hire(h *hand) {
	if err := h.start(); err != nil {
		p.mu.Lock()
		h.dead = true
		p.hands = slices.DeleteFunc(p.hands, func(x *hand) bool { return x == h })
		p.failures += cannotBegin
		p.startErr = err
		p.event(nil, Event{Kind: StartFailed, Worker: h.name, Err: err})
		p.staff()
		p.tell()
		p.unlock()
		return
	}
	p.mu.Lock()
	h.begun()
	switch {
	case h.why != nil:
		h.kill(h.why)
	case h.leaving:
		h.dismiss()
	}
	p.unlock()
	h.follow()
}

// refuseAll answers all items that wait. mu is held.
func (s *stream) refuseAll(err error) {
	for !s.closed {
		r, ok := s.take(maxItems)
		if !ok {
			return
		}
		s.p.fail(s, r, err)
	}
}
