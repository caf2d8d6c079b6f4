package dict

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"multiproc/internal/cell"
	"multiproc/internal/failpoint"
	"multiproc/internal/mperr"
	"multiproc/internal/pin"
	"multiproc/internal/robust"
	"multiproc/internal/table"
)

// MaxWatchers is how many watch a dict at a time, at most.
const MaxWatchers = 256

// Family are the processes that have the dict.
type Family interface {
	Self() table.Ref
	Live(table.Ref) bool
	// Owe says that others wait for what this process does, and are to be told when it
	// ends.
	Owe()
}

// watching is what a handle has of those who watch the dict.
type watching struct {
	Family Family // nil: there is only this process; set before the handle is used

	door   robust.Lock  // of who begins or ends to watch
	bell   robust.Event // rung when something was told
	crowd  robust.Crowd // of this handle's watchers
	deaths atomic.Uint32

	minRing, maxRing uint64

	mu       sync.Mutex
	watchers map[*Watcher]struct{} // of this handle
}

func (d *Dict) attachWatching() {
	d.door.Init(unsafe.Add(d.base, offWatching))
	d.bell.Init(unsafe.Add(d.base, offBell))
	d.crowd.Init(&d.bell)
	d.minRing, d.maxRing = minRing, maxRing
	d.watchers = map[*Watcher]struct{}{}
}

// detachWatching leaves all places: the memory is about to be unmapped.
func (d *Dict) detachWatching() {
	d.mu.Lock()
	for w := range d.watchers {
		d.leave(w)
	}
	d.mu.Unlock()
	d.door.Detach()
}

// A place is a word: 0 of nobody, or whose it is, with bit 31, as the first process of a
// family is 0. It is taken under the lock, left by one store without it, and taken back
// from the dead under it.
const placeTaken = 1 << 31

func (d *Dict) place(i int) *uint64 { return d.word(offPlaces + 8*uintptr(i)) }

func (d *Dict) self() uint64 {
	if d.Family == nil {
		return placeTaken
	}
	return d.Family.Self().Pack() | placeTaken
}

func (d *Dict) watches(who uint64) bool {
	return who != 0 && (d.Family == nil || d.Family.Live(table.Unpack(who&^placeTaken)))
}

// sweep takes back the places of the dead, and returns one that is free, -1 if there is
// none, and how many are taken. The door is held.
func (d *Dict) sweep() (free, taken int) {
	free = -1
	for i := range MaxWatchers {
		p := d.place(i)
		switch who := atomic.LoadUint64(p); {
		case d.watches(who):
			taken++
		case who != 0:
			atomic.StoreUint64(p, 0)
			failpoint.Hit("dict.buried")
			fallthrough
		case free < 0:
			free = i
		}
	}
	return free, taken
}

// look is what a writer does now and then: if nobody watches any more it has the memory of
// the feeds given back. It waits for nobody: what it cannot do the next one does.
func (d *Dict) look() {
	if ok, _, err := d.door.TryLock(); !ok || err != nil {
		return
	}
	d.tidyFeeds(1)
	d.door.Unlock()
}

// tidyFeeds gives back the memory of all feeds if nobody watches. The door is held, so
// nobody begins to watch meanwhile. It tries so often to get the locks.
//
// Who dies on the way leaves "abandoned": whoever changes something then goes on.
func (d *Dict) tidyFeeds(times int) {
	if _, taken := d.sweep(); taken > 0 || d.load(offWatched) == unwatched {
		return
	}
	atomic.StoreUint64(d.word(offWatched), abandoned)
	failpoint.Hit("dict.abandoned")
	for i := range d.shards {
		done := false
		for range times {
			if done = d.cleanFeed(&d.shards[i]); done {
				break
			}
			runtime.Gosched()
		}
		if !done {
			return
		}
	}
	atomic.StoreUint64(d.word(offWatched), unwatched)
	failpoint.Hit("dict.unwatched")
}

// cleanFeed gives back the memory of the feed of a shard, and reports whether it did.
func (d *Dict) cleanFeed(s *shard) bool {
	word := func(off uint64) uint64 { return d.load(uintptr(s.feed + off)) }
	if s.lock.Idle() && atomic.LoadUint64(s.count) == 0 && word(feedLength) == 0 && word(feedHead) == word(feedClean) {
		return true
	}
	for range tries {
		if ok, _, err := s.lock.TryLock(); !ok || err != nil {
			return false
		}
		c := d.callOf(s)
		pin.On()
		if c.begin() {
			c.clean()
		}
		pin.Off()
		s.lock.Unlock()
		if !c.h.Lost() {
			return true
		}
		if c.found() != nil {
			return true // it is damaged, and stays
		}
	}
	return false
}

// Event is what happened to an entry, or to all.
type Event struct {
	Key     cell.Cell // as it was given
	Value   cell.Cell
	Gone    bool // it was taken out
	Cleared bool // all were; nothing else is said
	Version uint64
}

// Watcher is told of all changes of a dict from some moment on. Its methods are for one
// goroutine, but Leave.
type Watcher struct {
	d     *Dict
	place int
	left  bool // under d.mu

	from  moment   // when it began
	at    []uint64 // up to where the feed of each shard was read
	gen   uint64   // Clears up to that were told
	seen  uint64   // all changes up to that number were looked at
	ahead []record // that came after it
	chunk []byte
}

// moment is one in the order of the changes: what is of a later time between two Clears
// comes later, whatever its number.
type moment struct{ gen, number uint64 }

func (m moment) compare(o moment) int {
	return cmp.Or(cmp.Compare(m.gen, o.gen), cmp.Compare(m.number, o.number))
}

// record is one of a feed.
type record struct {
	moment
	Event
}

// Watch begins to watch: changes that are made when it has returned are told, those that
// were made before it was called are not. Leave must follow.
//
// Cost: until then each change of the dict also writes a record of 48 bytes and its key
// and value.
func (d *Dict) Watch(ctx context.Context) (*Watcher, error) {
	if d.NoValues {
		return nil, fmt.Errorf("a set is not watched: %w", errors.ErrUnsupported)
	}
	d.owe()
	w := &Watcher{d: d, at: make([]uint64, len(d.shards))}
	if err := d.enter(ctx, w); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.watchers[w] = struct{}{}
	d.mu.Unlock()
	if err := w.begin(ctx); err != nil {
		w.Leave()
		return nil, err
	}
	return w, nil
}

// enter takes a place.
func (d *Dict) enter(ctx context.Context, w *Watcher) error {
	if _, err := d.door.Lock(ctx); err != nil {
		return err
	}
	defer d.door.Unlock()
	free, _ := d.sweep()
	if free < 0 {
		return fmt.Errorf("%d loops watch it already: %w", MaxWatchers, mperr.ErrLimit)
	}
	w.place = free
	atomic.StoreUint64(d.place(free), d.self())
	failpoint.Hit("dict.placed")
	if d.load(offWatched) != watched {
		atomic.StoreUint64(d.word(offWatched), watched)
		failpoint.Hit("dict.watched")
	}
	return nil
}

// begin notes from where on the changes are told. Who holds a lock now may not have
// looked whether the dict is watched since it is: begin waits for these.
func (w *Watcher) begin(ctx context.Context) error {
	d := w.d
	if err := d.settle(ctx); err != nil {
		return err
	}
	for i := range d.shards {
		s := &d.shards[i]
		if s.lock.Idle() && atomic.LoadUint64(s.count) == 0 {
			w.at[i] = d.load(uintptr(s.feed + feedHead))
			continue
		}
		if err := d.with(ctx, s, func(c *call) { w.at[i] = c.h.Load(s.feed + feedHead) }); err != nil {
			return err
		}
	}
	for {
		w.gen = d.load(offGen)
		w.seen = d.load(offNumber)
		w.from = moment{w.gen, w.seen}
		if w.gen == d.load(offGen) {
			return nil // no change up to that number is of a later time
		}
	}
}

// Leave ends it. It may be called more than once, and by any goroutine.
func (w *Watcher) Leave() {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	w.d.leave(w)
}

// leave is Leave; mu is held.
func (d *Dict) leave(w *Watcher) {
	if w.left {
		return
	}
	w.left = true
	delete(d.watchers, w)
	atomic.StoreUint64(d.place(w.place), 0)
	failpoint.Hit("dict.left")
	const times = 1000 // the handle is being closed perhaps: nobody is waited for
	for range times {
		if ok, _, err := d.door.TryLock(); err != nil {
			return
		} else if ok {
			d.tidyFeeds(times)
			d.door.Unlock()
			return
		}
		runtime.Gosched()
	}
}

// Next waits for changes and returns them, in order: what happened before another change
// comes before it, and what happened at one moment comes together. The error wraps
// mperr.ErrOverrun if changes are lost to the watcher.
func (w *Watcher) Next(ctx context.Context) ([]Event, error) {
	for {
		if ctx.Err() != nil {
			return nil, mperr.Ended(ctx)
		}
		events, err := w.round(ctx)
		if len(events) > 0 || err != nil {
			return events, err
		}
		if err := w.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// wait sleeps until something has changed. The watcher of a dict whose entries have a time
// to live also takes those out whose time is up.
func (w *Watcher) wait(ctx context.Context) error {
	news := func() bool { return w.d.load(offNumber) != w.seen || w.d.load(offGen) != w.gen }
	due := w.d.due()
	if due == 0 {
		return w.d.crowd.Wait(ctx, news)
	}
	until, cancel := context.WithTimeout(ctx, max(time.Duration(due-w.d.now()), minPause))
	defer cancel()
	if err := w.d.crowd.Wait(until, news); err == nil || until.Err() == nil || ctx.Err() != nil {
		return err
	}
	return w.d.expireAll(ctx)
}

// minPause is how long a watcher sleeps at least.
const minPause = time.Millisecond

// due is before when no entry's time is up; 0: none's ever is.
func (d *Dict) due() (due int64) {
	if d.clock == nil {
		return 0
	}
	gen := d.load(offGen)
	for i := range d.shards {
		s := &d.shards[i]
		if next := int64(s.load(frontNext)); s.load(frontGen) == gen && next > 0 && (due == 0 || next < due) {
			due = next
		}
	}
	return due
}

// round returns what was changed since the last one.
//
// It loads the counter of changes first. Every change up to that number was numbered under
// a lock, of its shard or of the batch. When a lock was free, or held by the watcher, after
// that, then the change is in the feed, or its maker has died and it never happened. So
// there is no gap to wait for. What comes after that number waits for the next round, as
// some before it may not have been seen. All changes of a time before a Clear have been
// made, too, whatever their numbers.
func (w *Watcher) round(ctx context.Context) ([]Event, error) {
	d := w.d
	number := d.load(offNumber)
	if !d.batch.Idle() || d.load(offBatch)&1 != 0 {
		if err := d.settle(ctx); err != nil {
			return nil, err
		}
	}
	gen := d.load(offGen)
	if gen-w.gen > maxClears {
		return nil, mperr.ErrOverrun
	}
	for i := range d.shards {
		if err := w.collect(ctx, i); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(w.ahead, func(a, b record) int { return a.compare(b.moment) })
	var events []Event
	now, until := 0, moment{gen, number}
	for ; now < len(w.ahead) && w.ahead[now].compare(until) <= 0; now++ {
		r := &w.ahead[now]
		for ; w.gen < r.gen; w.gen++ {
			events = append(events, Event{Cleared: true})
		}
		events = append(events, r.Event)
	}
	for ; w.gen < gen; w.gen++ {
		events = append(events, Event{Cleared: true})
	}
	w.seen = number
	w.ahead = slices.Clone(w.ahead[now:]) // the rest of the memory is the events'
	return events, nil
}

// maxClears is how many Clears a watcher may be behind.
const maxClears = 1 << 16

// chunkBytes is how much of a feed is copied at a time, under the lock of the shard.
const chunkBytes = 64 << 10

// collect reads all that is new in the feed of a shard.
func (w *Watcher) collect(ctx context.Context, i int) error {
	d, s := w.d, &w.d.shards[i]
	if s.lock.Idle() && atomic.LoadUint64(s.count) == 0 && d.load(uintptr(s.feed+feedHead)) == w.at[i] {
		return nil
	}
	if w.chunk == nil {
		w.chunk = make([]byte, chunkBytes)
	}
	var (
		buf       []byte
		end, head uint64
		n         int
		over      bool
	)
	for first := true; first || w.at[i] < end; first = false {
		err := d.with(ctx, s, func(c *call) { head, n, over = c.readFeed(w.at[i], w.chunk) })
		switch {
		case err != nil:
			return err
		case over:
			return mperr.ErrOverrun
		case first:
			end = head
		}
		buf = append(buf, w.chunk[:min(uint64(n), end-w.at[i])]...)
		if w.at[i] = min(end, w.at[i]+uint64(n)); n == 0 {
			break
		}
	}
	return w.parse(buf, s)
}

// parse takes the records apart.
func (w *Watcher) parse(buf []byte, s *shard) error {
	for len(buf) > 0 {
		r, n := recordOf(buf)
		if n == 0 {
			return fmt.Errorf("a feed at offset %d has what is no record: %w", s.feed, mperr.ErrCorrupt)
		}
		if r.compare(w.from) > 0 {
			w.ahead = append(w.ahead, r)
		}
		buf = buf[n:]
	}
	return nil
}

// recordOf is the record at the beginning of b, whose memory it keeps, and how long it is;
// 0: there is none.
func recordOf(b []byte) (r record, n uint64) {
	if len(b) < recordBytes {
		return r, 0
	}
	word := func(off int) uint64 { return binary.LittleEndian.Uint64(b[off:]) }
	head := word(0)
	n = head &^ recordGone
	if n < recordBytes || n > uint64(len(b)) || n%8 != 0 {
		return r, 0
	}
	rest := b[recordBytes:n]
	take := func(w uint64) (c cell.Cell, ok bool) {
		if w&3 != 0 || w == 0 {
			return cell.Cell{Word: w}, true
		}
		size := w >> 2
		if size > uint64(len(rest)) {
			return c, false
		}
		c.Bytes = rest[:size:size]
		rest = rest[min(padded(size), uint64(len(rest))):]
		return c, true
	}
	r.number, r.gen, r.Version, r.Gone = word(recordNumber), word(recordGen), word(recordVersion), head&recordGone != 0
	var ok bool
	if r.Key, ok = take(word(recordKey)); ok {
		r.Value, ok = take(word(recordValue))
	}
	none := func(c cell.Cell) bool { return c.Word == 0 && len(c.Bytes) == 0 }
	if !ok || none(r.Key) || none(r.Value) != r.Gone {
		return r, 0
	}
	return r, n
}
