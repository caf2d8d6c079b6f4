package progress

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
)

// Group draws the bars of calls that run at the same time under each other, in
// the order in which they were made. There is no use for the zero value; NewGroup
// makes one. Any number of goroutines may use it at once.
//
// If there are more bars than the terminal has lines, the oldest ones are not
// drawn until others are closed.
type Group struct {
	w    io.Writer
	env  surroundings
	once sync.Once

	mu      sync.Mutex // above those of the bars
	screen  *screen    // while there are bars on a terminal
	bars    []*Bar     // that are not closed
	partial []byte     // text for above the bars whose line has not ended
	begun   bool       // there was a bar: run runs
	closed  bool
	err     error
	stop    chan struct{}
	stopped chan struct{}
}

// surroundings are what tests have of their own.
type surroundings struct {
	now     func() time.Time
	ticks   func(time.Duration) (c <-chan time.Time, stop func())
	console func(io.Writer) mpb.ConsoleWriter // nil if it is no terminal
}

func realTicks(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(d)
	return t.C, t.Stop
}

// NewGroup makes a group that draws on w. Close ends it. Until there is a bar it
// does nothing.
func NewGroup(w io.Writer) *Group {
	return newGroup(w, surroundings{time.Now, realTicks, openConsole})
}

func newGroup(w io.Writer, env surroundings) *Group {
	return &Group{w: w, env: env, stop: make(chan struct{}), stopped: make(chan struct{})}
}

// Bar adds a bar below the others. After Close it makes one that nobody sees.
func (g *Group) Bar(o Options) *Bar {
	o.Name = plain(o.Name)
	if o.Every <= 0 {
		o.Every = every
	}
	now := g.env.now()
	b := &Bar{g: g, o: o, total: max(o.Total, 0), said: now}
	b.begin(now)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return b
	}
	if !g.begun {
		g.begun = true
		if c := g.env.console(g.w); c != nil {
			g.screen = newScreen(c)
		}
		go g.run(g.screen)
	}
	if g.screen != nil {
		b.drawn = g.screen.add(b)
	}
	g.bars = append(g.bars, b)
	return b
}

const (
	frame = 150 * time.Millisecond // between two drawings
	look  = time.Second            // between two looks whether a line of text is due
)

// run draws, or writes lines, until the group is closed.
func (g *Group) run(s *screen) {
	defer close(g.stopped)
	pause := look
	if s != nil {
		pause = frame
	}
	c, stop := g.env.ticks(pause)
	defer stop()
	for {
		select {
		case <-g.stop:
			return
		case <-c:
		}
		if s != nil {
			s.refresh()
		} else {
			g.lines()
		}
	}
}

// lines writes the lines of text that are due.
func (g *Group) lines() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.env.now()
	for _, b := range g.bars {
		if line, ok := b.due(now); ok {
			g.print([]byte(line))
		}
	}
}

// print writes whole lines, above the bars if there are some. mu is held.
func (g *Group) print(text []byte) {
	if g.screen != nil && g.screen.print(text) == nil {
		return
	}
	if _, err := g.w.Write(text); err != nil && g.err == nil {
		g.err = err
	}
}

// ended takes a bar away that has come to its end, and prints what became of it.
func (g *Group) ended(b *Bar, v view) {
	g.mu.Lock()
	i := slices.Index(g.bars, b)
	if i < 0 { // it was made after Close
		g.mu.Unlock()
		return
	}
	g.bars = slices.Delete(g.bars, i, i+1)
	g.print([]byte(v.last()))
	s := g.screen
	g.mu.Unlock()
	if b.drawn != nil {
		s.remove(b.drawn)
	}
}

// Above returns a writer for text that is to go to out while there are bars. If
// the bars are on a terminal and out is one too, which is taken for the same, it
// prints above them: whole lines, at the next drawing, so that what has no end of
// line yet waits for it, or for Close. Otherwise, and after Close, text goes to
// out as it is.
//
// Write waits for the terminal, as any printing does. Its error is that of out
// where it writes to out, and otherwise left to Close.
func (g *Group) Above(out io.Writer) io.Writer {
	if g.env.console(g.w) == nil || g.env.console(out) == nil {
		return out
	}
	return &above{g, out}
}

type above struct {
	g   *Group
	out io.Writer
}

func (a *above) Write(p []byte) (int, error) {
	g := a.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.screen == nil {
		return a.out.Write(p)
	}
	if i := bytes.LastIndexByte(p, '\n') + 1; i > 0 {
		g.print(append(g.partial, p[:i]...))
		g.partial = append(g.partial[:0], p[i:]...)
	} else {
		g.partial = append(g.partial, p...)
	}
	return len(p), nil
}

// Close closes the bars that are not closed yet, in the order in which they were
// made. When it returns, all is on the terminal that is to stay there, and no
// goroutine of the group is left. The error is the first that kept something from
// being drawn or printed. Another Close waits for that, and returns the same.
func (g *Group) Close() error {
	g.once.Do(func() {
		g.mu.Lock()
		g.closed = true
		bars := slices.Clone(g.bars)
		g.mu.Unlock()
		for _, b := range bars {
			b.finish()
		}
		g.finish()
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// finish ends what draws. There are no bars any more.
func (g *Group) finish() {
	close(g.stop)
	g.mu.Lock()
	if g.screen != nil { // who prints now waits until that is over
		if err := g.screen.close(); g.err == nil {
			g.err = err
		}
		g.screen = nil
	}
	if len(g.partial) > 0 {
		g.print(g.partial)
	}
	begun := g.begun
	g.mu.Unlock()
	if begun {
		<-g.stopped
	}
}
