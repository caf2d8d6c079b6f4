package objects

import (
	"container/heap"
	"errors"
	"fmt"
	"math"
	"time"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// lifetimes are when the times of a dict's entries are up. The dict's mutex guards them.
//
// Every call that locks the dict takes out first what is over, see mapping.lock, so none
// sees it; a timer does the same for those who watch, and gives the memory back.
type lifetimes struct {
	own   time.Duration        // of an entry, unless something else is said
	of    map[string]*lifetime // by hash
	order ends
	up    func()      // is called when the timer fires
	timer *time.Timer // nil: there was none yet
	armed int64       // when it fires; 0 if it does not
	ended bool        // nobody needs it any more
}

// lifetime is that of one entry.
type lifetime struct {
	hash string
	due  int64 // see sinceStart
	at   int   // in order
}

// lifetimeCost is what the lifetime of an entry takes.
const lifetimeCost = 128

// ends is a heap of lifetimes, the first to end first.
type ends []*lifetime

func (h ends) Len() int           { return len(h) }
func (h ends) Less(i, j int) bool { return h[i].due < h[j].due }
func (h ends) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }
func (h *ends) Push(x any)        { l := x.(*lifetime); l.at = len(*h); *h = append(*h, l) }

func (h *ends) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}

var start = time.Now()

// sinceStart is the time by a clock that nobody sets.
func sinceStart() int64 { return int64(time.Since(start)) }

// minPause is how much time there is between two looks of the timer, so that entries
// that end one by one cost no timer each. Calls do not wait for it.
const minPause = time.Millisecond

// errUntimed is the error of SetFor where entries have no time to live.
var errUntimed = fmt.Errorf("the dict was made without a time to live: %w", errors.ErrUnsupported)

// ttlArgs reads what a Go client says of a time to live: null, "ttl" and nanoseconds, which
// no call of Python's dict can be. ok says whether it has.
func ttlArgs(args store.Args) (ttl time.Duration, ok bool, err error) {
	if len(args.Pos) != 3 || len(args.Named) > 0 || !args.Pos[0].IsNone() {
		return 0, false, nil
	}
	if word, _ := args.Pos[1].Value().(string); word != "ttl" {
		return 0, false, nil
	}
	ttl, err = ttlArg(args.Pos[2])
	return ttl, true, err
}

// ttlArg is an argument that is a time to live.
func ttlArg(it store.Item) (time.Duration, error) {
	n, err := integer(it)
	if err == nil && n <= 0 {
		err = pyvalue.ValueError("a time to live is more than nothing")
	}
	return time.Duration(n), err
}

// newTimed makes a dict whose entries have a time to live.
func newTimed(s *store.Store, args store.Args, ttl time.Duration) *dict {
	d := &dict{mapping: mapping{account: accountOf(s, args)}, users: 1}
	d.lives = &lifetimes{own: ttl, of: map[string]*lifetime{}}
	d.lives.up = func() { s.Within(d, "the end of an entry's time", d.timeUp) }
	return d
}

// timeUp is for the timer.
func (m *mapping) timeUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lives.armed = 0
	m.expire()
}

// lock locks the mutex and takes out the entries whose time is up.
func (m *mapping) lock() {
	m.mu.Lock()
	if m.lives != nil {
		m.expire()
	}
}

// expire takes out the entries whose time is up; the mutex is held.
func (m *mapping) expire() {
	t := m.lives
	for now := sinceStart(); len(t.order) > 0 && t.order[0].due <= now; {
		m.take(m.at(t.order[0].hash))
	}
	t.arm()
}

// begin begins the time of an entry.
func (t *lifetimes) begin(hash string, ttl time.Duration) {
	due := sinceStart()
	if due += int64(ttl); due < 0 {
		due = math.MaxInt64
	}
	if l := t.of[hash]; l != nil {
		l.due = due
		heap.Fix(&t.order, l.at)
	} else {
		l = &lifetime{hash: hash, due: due}
		t.of[hash] = l
		heap.Push(&t.order, l)
	}
	t.arm()
}

// end forgets the time of an entry.
func (t *lifetimes) end(hash string) {
	if l := t.of[hash]; l != nil {
		delete(t.of, hash)
		heap.Remove(&t.order, l.at)
	}
}

// clear forgets all.
func (t *lifetimes) clear() { t.of, t.order = map[string]*lifetime{}, nil }

// arm sets the timer, if it would come too late.
func (t *lifetimes) arm() {
	if t.ended || len(t.order) == 0 || t.armed != 0 && t.armed <= t.order[0].due {
		return
	}
	now := sinceStart()
	d := max(time.Duration(t.order[0].due-now), minPause)
	if t.armed != 0 && t.armed <= now+int64(d) {
		return
	}
	t.armed = now + int64(min(d, math.MaxInt64-time.Duration(now)))
	if t.timer == nil {
		t.timer = time.AfterFunc(d, t.up)
		return
	}
	t.timer.Reset(d)
}

// stop is for the end of the dict.
func (t *lifetimes) stop() {
	t.ended = true
	if t.timer != nil {
		t.timer.Stop()
	}
}

// goSetFor is called with a key, a value and a time to live in nanoseconds.
func (m *mapping) goSetFor(c *store.Call, a []store.Item) (store.Item, error) {
	k, err := m.key(c)
	if err != nil {
		return none, err
	}
	ttl, err := ttlArg(a[2])
	if err != nil {
		return none, err
	}
	m.lock()
	defer m.mu.Unlock()
	if m.lives == nil {
		return none, errUntimed
	}
	if err := m.put(k, a[1]); err != nil {
		return none, err
	}
	m.lives.begin(k.hash, ttl)
	return none, nil
}
