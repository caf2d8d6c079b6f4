package progress

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"multiproc/pool"
)

func newLines(t *testing.T) (*Group, *paper, *clock) {
	c, p := newClock(), new(paper)
	g := newGroup(p, c.surroundings(noTerminal))
	t.Cleanup(func() { mustClose(t, g) })
	return g, p, c
}

func TestLines(t *testing.T) {
	g, p, c := newLines(t)
	b := g.Bar(Options{Name: "counting", Total: 100})
	observe(b, began)
	c.pass(4 * time.Second)
	observe(b, items(20, 1))
	expect(t, p.take())
	c.pass(time.Second)
	expect(t, p.take(), "counting: 20 of 100, 20%, 4.0/s, 20s left, 1 failed")
	c.pass(time.Minute)
	expect(t, p.take()) // nothing has changed
	observe(b, items(1, 0), retried)
	c.pass(time.Second)
	expect(t, p.take(), "counting: 21 of 100, 21%, 19/min, 4m09s left, 1 failed, 1 retried")
	observe(b, items(79, 0), ended)
	c.pass(time.Hour) // after the end of the work, which took 66 s
	expect(t, p.take(), "counting: 100 of 100, 100%, 1.3/s, 1 failed, 1 retried")
	mustClose(t, b)
	mustClose(t, b)
	expect(t, p.take(), "counting: 100 of 100 in 1m06s, 1.5/s, 1 failed, 1 retried")
	observe(b, items(1, 0))
	c.pass(time.Hour)
	expect(t, p.take())
}

func TestEvery(t *testing.T) {
	g, p, c := newLines(t)
	b := g.Bar(Options{Every: time.Minute})
	observe(b, began, items(1, 0))
	c.pass(59 * time.Second)
	expect(t, p.take())
	c.pass(time.Second)
	expect(t, p.take(), "1, 1.0/min")
}

// A total may come late, change, and be wrong.
func TestTotal(t *testing.T) {
	g, p, c := newLines(t)
	b := g.Bar(Options{Total: -1})
	observe(b, began, items(10, 0))
	c.pass(5 * time.Second)
	expect(t, p.take(), "10, 2.0/s")
	b.SetTotal(20)
	observe(b, items(1, 0))
	c.pass(5 * time.Second)
	expect(t, p.take(), "11 of 20, 55%, 1.1/s, 9s left")
	observe(b, items(10, 0))
	c.pass(10 * time.Second)
	expect(t, p.take(), "21 of 20, 1.0/s")
	b.SetTotal(0)
	observe(b, items(1, 0), ended)
	mustClose(t, b)
	expect(t, p.take(), "22 in 20s, 1.1/s")
}

func TestGivenUp(t *testing.T) {
	for _, test := range []struct {
		name   string
		events []pool.Event
		want   string
	}{
		{"no call", nil, "0 of 10 in 0s"},
		{"still runs", []pool.Event{began, items(4, 0)}, "4 of 10 in 2s, 2.0/s, given up"},
		{
			"has an error",
			[]pool.Event{began, items(4, 4), {Kind: pool.CallEnded, Err: context.Canceled}},
			"4 of 10 in 2s, 2.0/s, 4 failed, given up",
		},
		{"one of two", []pool.Event{began, began, items(10, 0), ended}, "10 of 10 in 2s, 5.0/s, given up"},
		{"both are done", []pool.Event{began, ended, began, items(10, 0), ended}, "10 of 10 in 2s, 5.0/s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, p, c := newLines(t)
			b := g.Bar(Options{Total: 10})
			for _, e := range test.events {
				if e.Kind == pool.ItemsDone {
					c.pass(2 * time.Second)
				}
				b.Observe(e)
			}
			mustClose(t, b)
			expect(t, p.take(), test.want)
		})
	}
}

// Events of workers say nothing of items.
func TestOtherEvents(t *testing.T) {
	g, p, _ := newLines(t)
	b := g.Bar(Options{})
	for k := range pool.CallEnded + 5 {
		if k < pool.CallBegan || k > pool.CallEnded {
			b.Observe(pool.Event{Kind: k, Count: 7, Failed: 7, Err: io.EOF})
		}
	}
	mustClose(t, b)
	expect(t, p.take(), "0 in 0s")
}

func TestLinesOfSeveral(t *testing.T) {
	g, p, c := newLines(t)
	a, b := g.Bar(Options{Name: "a\nb\x1b[2J"}), g.Bar(Options{Name: "c", Every: 10 * time.Second})
	observe(a, began, items(5, 0))
	observe(b, began, items(5, 0))
	c.pass(5 * time.Second)
	expect(t, p.take(), "a b [2J: 5, 1.0/s")
	c.pass(5 * time.Second)
	expect(t, p.take(), "c: 5, 30/min")
	observe(a, ended)
	mustClose(t, b)
	mustClose(t, g)
	expect(t, p.take(), "c: 5 in 10s, 30/min, given up", "a b [2J: 5 in 10s, 30/min")
	late := g.Bar(Options{})
	observe(late, began, items(1, 0))
	mustClose(t, late)
	mustClose(t, g)
	expect(t, p.take())
}

func TestAboveLines(t *testing.T) {
	g, p, _ := newLines(t)
	g.Bar(Options{})
	out := new(paper)
	if g.Above(out) != io.Writer(out) || g.Above(p) != io.Writer(p) {
		t.Error("what is no terminal needs nobody in between")
	}
}

func TestLinesFail(t *testing.T) {
	c, p := newClock(), new(paper)
	p.err = errGone
	g := newGroup(p, c.surroundings(noTerminal))
	b := g.Bar(Options{})
	observe(b, began, items(1, 0))
	c.pass(time.Minute)
	mustClose(t, b)
	for range 2 {
		if err := g.Close(); !errors.Is(err, errGone) {
			t.Errorf("Close: %v", err)
		}
	}
}

// New on what is no terminal, with the real clock.
func TestNew(t *testing.T) {
	p := new(paper)
	b := New(p, Options{Name: "n", Total: 2})
	mustClose(t, b)
	mustClose(t, b)
	if s := p.take(); !strings.HasPrefix(s, "n: 0 of 2 in ") || strings.Count(s, "\n") != 1 {
		t.Errorf("it is %q", s)
	}
	mustClose(t, NewGroup(p))
	expect(t, p.take())
}
