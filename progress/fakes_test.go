package progress

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"

	"multiproc/mptest"
	"multiproc/pool"
)

// clock is the time of a test, and what it ticks.
type clock struct {
	mu   sync.Mutex
	t    time.Time
	tick chan time.Time
}

func newClock() *clock {
	return &clock{t: time.Unix(1e9, 0), tick: make(chan time.Time)}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// pass lets time pass, and makes the group look twice, so that the first look is
// over.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	c.t = c.t.Add(d)
	c.mu.Unlock()
	for range 2 {
		c.tick <- time.Time{}
	}
}

func (c *clock) surroundings(open func(io.Writer) mpb.ConsoleWriter) surroundings {
	return surroundings{c.now, func(time.Duration) (<-chan time.Time, func()) { return c.tick, func() {} }, open}
}

func noTerminal(io.Writer) mpb.ConsoleWriter { return nil }

// paper is an output that is no terminal.
type paper struct {
	mu   sync.Mutex
	text strings.Builder
	err  error
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	return p.text.Write(b)
}

func (p *paper) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.text.Reset()
	return p.text.String()
}

// terminal understands what terminals do: lines, and the sequences that mpb uses.
type terminal struct {
	mu            sync.Mutex
	width, height int
	rows          [][]rune // all that there ever were
	row, col      int
	wrapped       int // how often text was too wide
	strange       string
	err           error
}

func newTerminal(width, height int) *terminal { return &terminal{width: width, height: height} }

func (m *terminal) open(w io.Writer) mpb.ConsoleWriter {
	if w != io.Writer(m) {
		return nil
	}
	return &console{Writer: cupwriter.New(m, true), size: func() (int, int, error) { return m.width, m.height, nil }}
}

var errGone = errors.New("the terminal is gone")

func (m *terminal) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	for s := string(b); s != ""; {
		if rest, ok := strings.CutPrefix(s, "\x1b["); ok {
			s = m.sequence(rest)
			continue
		}
		r := []rune(s)[0]
		s = s[len(string(r)):]
		m.rune(r)
	}
	return len(b), nil
}

// sequence does what follows ESC [ and returns the rest.
func (m *terminal) sequence(s string) string {
	i := strings.IndexAny(s, "AJ")
	switch {
	case i >= 0 && s[i] == 'A':
		n, err := strconv.Atoi(s[:i])
		if err != nil {
			m.strange += s[:i+1]
		}
		m.row = max(m.row-n, len(m.rows)-m.height, 0)
	case i == 0: // erase from here
		if m.row < len(m.rows) {
			m.rows[m.row] = m.rows[m.row][:min(m.col, len(m.rows[m.row]))]
			m.rows = m.rows[:m.row+1]
		}
	default:
		m.strange += s
		return ""
	}
	return s[i+1:]
}

func (m *terminal) rune(r rune) {
	w := runewidth.RuneWidth(r)
	switch {
	case r == '\n':
		m.row, m.col = m.row+1, 0
		m.at()
		return
	case r < ' ':
		m.strange += string(r)
		return
	case m.col+w > m.width:
		m.wrapped++
		m.row, m.col = m.row+1, 0
	}
	m.at()
	line := m.rows[m.row]
	for len(line) < m.col+w {
		line = append(line, ' ')
	}
	line[m.col] = r
	m.rows[m.row] = line
	m.col += w
}

// at makes the row that the cursor is in.
func (m *terminal) at() {
	for len(m.rows) <= m.row {
		m.rows = append(m.rows, nil)
	}
}

// look is all that stands there, without spaces at the ends of lines.
func (m *terminal) look() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, row := range m.rows {
		b.WriteString(strings.TrimRight(string(row), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// shows waits until the terminal shows exactly this.
func (m *terminal) shows(t *testing.T, lines ...string) {
	t.Helper()
	want := strings.Join(lines, "\n")
	defer func() {
		if t.Failed() {
			t.Logf("it shows\n%s\nand not\n%s", m.look(), want)
		}
	}()
	mptest.Eventually(t, func() bool { return m.look() == want }, "the terminal shows the bars")
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.strange != "" {
		t.Fatalf("it was sent %q", m.strange)
	}
}

func (m *terminal) disappear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = errGone
}

func items(n, failed int) pool.Event {
	return pool.Event{Kind: pool.ItemsDone, Count: n, Failed: failed}
}

var (
	began   = pool.Event{Kind: pool.CallBegan}
	ended   = pool.Event{Kind: pool.CallEnded}
	retried = pool.Event{Kind: pool.ItemRetried}
)

func observe(b *Bar, events ...pool.Event) {
	for _, e := range events {
		b.Observe(e)
	}
}

func mustClose(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// expect compares texts.
func expect(t *testing.T, got string, lines ...string) {
	t.Helper()
	want := strings.Join(lines, "\n")
	if want != "" {
		want += "\n"
	}
	if got != want {
		t.Errorf("it is\n%s\nand not\n%s", got, want)
	}
}

func line(n int) string { return fmt.Sprintf("line %d", n) }
