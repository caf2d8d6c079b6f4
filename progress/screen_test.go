package progress

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8"
)

func newScreenTest(t *testing.T, width, height int) (*Group, *terminal, *clock) {
	c, m := newClock(), newTerminal(width, height)
	g := newGroup(m, c.surroundings(m.open))
	t.Cleanup(func() { mustClose(t, g) })
	return g, m, c
}

func TestBar(t *testing.T) {
	g, m, c := newScreenTest(t, 100, 24)
	b := g.Bar(Options{Name: "counting", Total: 100})
	c.pass(0)
	m.shows(t, "counting   0% [--------------------------------------]")
	observe(b, began)
	c.pass(2 * time.Second)
	observe(b, items(50, 0))
	c.pass(0)
	m.shows(t, "counting  50% [==================>-------------------]    25/s  2s left")
	observe(b, items(49, 2), retried)
	c.pass(0)
	m.shows(t, "counting  99% [=====================================>]    50/s  1s left   2 failed, 1 retried")
	observe(b, items(1, 0), ended)
	c.pass(time.Minute)
	m.shows(t, "counting 100% [======================================]    50/s            2 failed, 1 retried")
	mustClose(t, b)
	mustClose(t, g)
	m.shows(t, "counting: 100 of 100 in 2s, 50/s, 2 failed, 1 retried")
}

func TestBarWithoutTotal(t *testing.T) {
	g, m, c := newScreenTest(t, 80, 24)
	b := g.Bar(Options{Name: "finding"})
	observe(b, began, items(5, 0))
	c.pass(time.Second)
	m.shows(t, "finding    5    5.0/s")
	b.SetTotal(10)
	c.pass(0)
	m.shows(t, "finding  50% [==================>-------------------]   5.0/s  1s left")
	observe(b, items(15, 0))
	c.pass(0)
	m.shows(t, "finding 20 of 10 [======================================]    20/s")
	mustClose(t, g)
	m.shows(t, "finding: 20 of 10 in 1s, 20/s, given up")
}

func TestSeveralBars(t *testing.T) {
	g, m, c := newScreenTest(t, 80, 24)
	a, b := g.Bar(Options{Name: "a", Total: 10}), g.Bar(Options{Name: "longer", Total: 10})
	observe(a, began, items(1, 0))
	observe(b, began, items(10, 0), ended)
	c.pass(time.Second)
	m.shows(t,
		"a       10% [===>----------------------------------]   1.0/s  9s left",
		"longer 100% [======================================]")
	mustClose(t, b)
	m.shows(t,
		"longer: 10 of 10 in 0s",
		"a  10% [===>----------------------------------]   1.0/s  9s left")
	d := g.Bar(Options{Name: "d"})
	c.pass(0)
	m.shows(t,
		"longer: 10 of 10 in 0s",
		"a  10% [===>----------------------------------]   1.0/s  9s left",
		"d    0")
	observe(d, began, items(3, 0), ended)
	mustClose(t, g)
	m.shows(t,
		"longer: 10 of 10 in 0s",
		"a: 1 of 10 in 1s, 1.0/s, given up",
		"d: 3 in 0s")
}

// Text stands above the bars, line by line, and none is lost.
func TestAbove(t *testing.T) {
	g, m, c := newScreenTest(t, 80, 24)
	out := g.Above(m)
	print := func(s string) {
		t.Helper()
		if n, err := fmt.Fprint(out, s); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	print("before\n")
	m.shows(t, "before")
	b := g.Bar(Options{Name: "b"})
	c.pass(0)
	m.shows(t, "before", "b    0")
	print("one\ntwo")
	c.pass(0)
	m.shows(t, "before", "one", "b    0")
	print(", and")
	print(" so on\n")
	c.pass(0)
	m.shows(t, "before", "one", "two, and so on", "b    0")
	mustClose(t, b)
	m.shows(t, "before", "one", "two, and so on", "b: 0 in 0s")
	print("no bar is there\nno end")
	mustClose(t, g)
	m.shows(t, "before", "one", "two, and so on", "b: 0 in 0s", "no bar is there", "no end")
	print(" of line\nafter")
	m.shows(t, "before", "one", "two, and so on", "b: 0 in 0s", "no bar is there", "no end of line", "after")
	file := new(paper)
	if g.Above(file) != any(file) {
		t.Error("what goes to a file has nothing to do with the terminal")
	}
}

// Bars never reach beyond the terminal, however narrow it is: they could not be
// taken back.
func TestNarrow(t *testing.T) {
	for width := 1; width <= 90; width++ {
		for _, name := range []string{"", "counting", strings.Repeat("name", 30), "数え上げ数え上げ"} {
			g, m, c := newScreenTest(t, width, 24)
			b, d := g.Bar(Options{Name: name, Total: 1000}), g.Bar(Options{Name: "d"})
			observe(b, began, items(400, 5), retried)
			observe(d, began, items(1, 0))
			c.pass(10 * time.Second)
			c.pass(10 * time.Second)
			m.mu.Lock()
			if m.wrapped > 0 || m.row > 2 {
				t.Errorf("%q on a terminal of %d columns is too wide", name, width)
			}
			m.mu.Unlock()
			mustClose(t, g)
		}
	}
	g, m, c := newScreenTest(t, 30, 24)
	observe(g.Bar(Options{Name: "counting", Total: 1000}), began, items(400, 5))
	c.pass(10 * time.Second)
	m.shows(t, "counting  40%   40/s  15s left")
}

// A terminal that does not know its size is taken for an ordinary one.
func TestNoSize(t *testing.T) {
	g, m, c := newScreenTest(t, 80, 24)
	g.env.console = func(w io.Writer) mpb.ConsoleWriter {
		x := m.open(w).(*console)
		x.size = func() (int, int, error) { return 0, 0, nil }
		return x
	}
	g.Bar(Options{Name: "b"})
	c.pass(0)
	m.shows(t, "b    0")
}

// With more bars than lines the newest are there, and nothing of the others.
func TestLow(t *testing.T) {
	g, m, c := newScreenTest(t, 80, 4)
	var bars []*Bar
	for i := range 6 {
		bars = append(bars, g.Bar(Options{Name: line(i)}))
	}
	for range 5 {
		c.pass(0)
	}
	m.shows(t, "line 3    0", "line 4    0", "line 5    0")
	mustClose(t, bars[4])
	mustClose(t, bars[0])
	c.pass(0)
	m.shows(t, "line 4: 0 in 0s", "line 0: 0 in 0s", "line 2    0", "line 3    0", "line 5    0")
}

// When the terminal goes away the work goes on, and Close says so.
func TestTerminalGone(t *testing.T) {
	c, m := newClock(), newTerminal(80, 24)
	g := newGroup(m, c.surroundings(m.open))
	b := g.Bar(Options{})
	c.pass(0)
	m.shows(t, "    0")
	m.disappear()
	c.pass(0)
	c.pass(0)
	observe(b, began, items(1, 0))
	_, _ = fmt.Fprintln(g.Above(m), "text")
	mustClose(t, b)
	observe(g.Bar(Options{}), began, items(1, 0))
	for range 2 {
		if err := g.Close(); !errors.Is(err, errGone) {
			t.Errorf("Close: %v", err)
		}
	}
}

// Everything at once, for the race detector.
func TestAtOnce(t *testing.T) {
	g, m, c := newScreenTest(t, 80, 24)
	out := g.Above(m)
	stop := make(chan struct{})
	var wg, ticking sync.WaitGroup
	ticking.Go(func() {
		for {
			select {
			case <-stop:
				return
			case c.tick <- time.Time{}:
			}
		}
	})
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				b := g.Bar(Options{Name: line(i)})
				b.Observe(began)
				for n := range 50 {
					b.Observe(items(1, 0))
					b.SetTotal(n)
				}
				_, _ = fmt.Fprintln(out, "text")
				wg.Go(func() { _ = b.Close() })
				b.Observe(ended)
			}
		})
	}
	wg.Wait()
	mustClose(t, g)
	close(stop)
	ticking.Wait()
	if s := m.look(); strings.Count(s, "text\n") != 80 || strings.Count(s, " in 0s") != 80 || strings.Count(s, "\n") != 159 {
		t.Errorf("it shows\n%s", s)
	}
}

func BenchmarkObserve(b *testing.B) {
	c, p := newClock(), new(paper)
	g := newGroup(p, c.surroundings(noTerminal))
	bar := g.Bar(Options{})
	for b.Loop() {
		bar.Observe(items(1, 0))
	}
	_ = g.Close()
}

// A drawing of one bar.
func BenchmarkDraw(b *testing.B) {
	c, m := newClock(), newTerminal(80, 24)
	g := newGroup(m, c.surroundings(m.open))
	bar := g.Bar(Options{Name: "counting", Total: 1000})
	observe(bar, began, items(400, 5))
	for b.Loop() {
		c.tick <- time.Time{}
	}
	_ = g.Close()
}
