package progress

import (
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"

	"multiproc/pool"
)

// Options say what a bar shows. The zero value is a bar without a name that
// counts.
type Options struct {
	// Name stands in front. Control characters become spaces.
	Name string

	// Total is how many items there will be; 0 or less is not known, or not yet
	// (see SetTotal).
	Total int

	// Every is the time between two lines where the output is no terminal. 0 is
	// five seconds. A line is left out if nothing has changed.
	Every time.Duration
}

const every = 5 * time.Second // the default

// Bar shows how far one or more calls on a pool are. There is no use for the
// zero value: New and Group.Bar make bars. Any number of goroutines may use one
// at once.
type Bar struct {
	g     *Group
	o     Options
	alone bool     // it is the only one of its group
	drawn *mpb.Bar // nil if there is no terminal
	shown view     // what is being drawn, for mpb's goroutines only
	once  sync.Once

	mu      sync.Mutex
	closed  bool
	total   int
	done    int
	failed  int
	retried int
	calls   int // that have begun
	open    int // and have not ended
	gaveUp  bool
	start   time.Time // of the first call
	end     time.Time // of the last one, if none is open
	pace    pace
	said    time.Time // when there was a line last
	saying  int       // and how many items it had
}

// New makes a bar that has w to itself, and draws it several times a second if w
// is a terminal. Close ends it.
//
// Cost: some goroutines, and half a millisecond of processor time a second.
func New(w io.Writer, o Options) *Bar {
	b := NewGroup(w).Bar(o)
	b.alone = true
	return b
}

// Observe takes the events of calls: it is for pool.Call.Observe, or for
// pool.Options.Observe if the bar is to show all calls of a pool. Counts of
// several calls are added up. Events after Close are ignored.
//
// It waits for nobody, whatever becomes of the terminal, and takes some 20 ns.
func (b *Bar) Observe(e pool.Event) {
	switch e.Kind {
	case pool.CallBegan, pool.ItemsDone, pool.ItemRetried, pool.CallEnded:
	default:
		return // it concerns workers
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	switch e.Kind {
	case pool.CallBegan:
		if b.calls == 0 {
			b.begin(b.g.env.now())
		}
		b.calls++
		b.open++
	case pool.ItemsDone:
		b.done += e.Count
		b.failed += e.Failed
	case pool.ItemRetried:
		b.retried++
	case pool.CallEnded:
		b.gaveUp = b.gaveUp || e.Err != nil
		if b.open--; b.open == 0 {
			b.end = b.g.env.now()
		}
	}
}

// begin sets when the work has begun. mu is held, or nobody else has the bar.
func (b *Bar) begin(now time.Time) {
	b.start = now
	b.pace = pace{{at: now, done: b.done}}
}

// SetTotal changes how many items there will be; 0 or less is not known.
func (b *Bar) SetTotal(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total = max(n, 0)
}

// Above returns a writer for text that is to go to out while there are bars; see
// Group.Above.
func (b *Bar) Above(out io.Writer) io.Writer { return b.g.Above(out) }

// Close takes the bar off the terminal, and prints how far it has come: whether
// all is done, or the calls were given up, or still run. If the bar is from New
// nothing of it is left when Close returns, and the error is why it could not be
// drawn or printed. A bar of a group is drawn with the others at once, and the
// error is Group.Close's to tell. Another Close does nothing.
func (b *Bar) Close() error {
	if b.alone {
		return b.g.Close()
	}
	b.finish()
	return nil
}

// finish ends the bar, once.
func (b *Bar) finish() {
	b.once.Do(func() {
		b.mu.Lock()
		v := b.view(b.g.env.now())
		b.closed = true
		b.mu.Unlock()
		b.g.ended(b, v)
	})
}

// view is what there is to show. mu is held.
func (b *Bar) view(now time.Time) view {
	if b.calls > 0 && b.open == 0 {
		now = b.end
	}
	v := view{
		name: b.o.Name, done: b.done, total: b.total, failed: b.failed, retried: b.retried,
		elapsed: now.Sub(b.start), gaveUp: b.gaveUp || b.open > 0,
	}
	v.rate = b.pace.rate(now, b.done)
	return v
}

// look is view for those that draw: nothing if the bar is closed.
func (b *Bar) look() view {
	now := b.g.env.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return view{closed: true}
	}
	return b.view(now)
}

// due is the next line of text, if it is time for one and there is news.
func (b *Bar) due(now time.Time) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.view(now) // also if there is no line: the pace wants to be looked at
	if now.Sub(b.said) < b.o.Every || b.done == b.saying {
		return "", false
	}
	b.said, b.saying = now, b.done
	return v.line(), true
}
