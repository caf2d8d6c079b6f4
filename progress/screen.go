package progress

import (
	"bytes"
	"io"
	"math"
	"os"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// screen is a terminal that mpb draws on. mpb counts nothing: at each drawing it
// asks the bars for their views, so that what they hear never waits for it.
type screen struct {
	p    *mpb.Progress
	draw chan any
	over chan any // closed when it draws no more
}

func newScreen(c mpb.ConsoleWriter) *screen {
	s := &screen{draw: make(chan any), over: make(chan any)}
	s.p = mpb.New(mpb.WithConsoleWriter(c), mpb.WithManualRefresh(s.draw), mpb.WithShutdownNotifier(s.over))
	return s
}

// refresh makes it draw soon, with all that was printed before.
func (s *screen) refresh() {
	select {
	case s.draw <- nil:
	case <-s.over:
	}
}

// print puts whole lines above the bars, when it draws next.
func (s *screen) print(text []byte) error {
	_, err := s.p.Write(text)
	return err
}

// barWidth is that of the bar itself, if there is so much room.
const barWidth = 40

// add returns nil if the terminal is gone.
func (s *screen) add(b *Bar) *mpb.Bar {
	style := mpb.BarStyle().Build()
	filler := mpb.BarFillerFunc(func(w io.Writer, stat decor.Statistics) error {
		v := b.shown
		if v.total == 0 {
			return nil
		}
		stat.Total, stat.Current = int64(v.total), int64(min(v.done, v.total))
		stat.Completed = v.done >= v.total
		return style.Fill(w, stat)
	})
	// Of one drawing the columns are asked from the left to the right.
	name := func(stat decor.Statistics) string {
		b.shown = b.look()
		return runewidth.Truncate(b.shown.name, stat.AvailableWidth/2, "…")
	}
	column := func(text func(view) string, width, flags int) decor.Decorator {
		return decor.Any(func(decor.Statistics) string { return text(b.shown) }, decor.WC{W: width, C: flags | decor.DSyncWidth})
	}
	const left = decor.DindentRight
	bar, err := s.p.Add(0, filler, mpb.BarRemoveOnComplete(), mpb.BarWidth(barWidth),
		mpb.PrependDecorators(
			decor.Any(name, decor.WCSyncWidthR),
			column(view.share, 5, decor.DextraSpace),
		),
		mpb.AppendDecorators(
			column(func(v view) string { return speed(v.rate) }, 7, 0),
			column(func(v view) string { return gap(v.left()) }, 10, left),
			column(func(v view) string { return gap(v.faults()) }, 0, left),
		))
	if err != nil {
		return nil
	}
	return bar
}

// gap puts space in front of a text.
func gap(s string) string {
	if s == "" {
		return ""
	}
	return "  " + s
}

// remove takes a bar away, soon.
func (s *screen) remove(bar *mpb.Bar) {
	bar.SetTotal(0, true) // mpb's word for: it is complete
	s.refresh()
}

// close draws what was printed since the last drawing and waits until nothing of
// mpb runs. All bars were removed.
func (s *screen) close() error {
	s.refresh()
	s.p.Wait()
	return s.p.Error
}

// console is a terminal, which may not know how large it is. Rows that it has no
// room for are left out here, because mpb v8.16.2 loses count of those that it
// leaves out itself.
type console struct {
	*cupwriter.Writer
	size   func() (width, height int, err error)
	height int
	rows   [][]byte // of a drawing, the upper ones first
}

// openConsole returns nil if w is no terminal, or one that cannot move its cursor.
func openConsole(w io.Writer) mpb.ConsoleWriter {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return nil
	}
	// Files of other kinds are left alone: cupwriter asks for the descriptor.
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	c := cupwriter.New(f, false)
	if !c.IsTerminal() {
		return nil
	}
	return &console{Writer: c, size: c.GetTermSize}
}

// IsTerminal makes mpb ask for the size.
func (c *console) IsTerminal() bool { return true }

// GetTermSize is asked at the begin of each drawing.
func (c *console) GetTermSize() (width, height int, err error) {
	width, height, err = c.size()
	if width <= 0 { // some have none, in containers for example
		width = 80
	}
	if height <= 0 {
		height = 24
	}
	c.height = max(height-1, 1) // the cursor stands in the line after the bars
	return width, math.MaxInt, err
}

// ReadFrom takes a row. That of a bar that is closed is blank: mpb has it in one
// more drawing.
func (c *console) ReadFrom(r io.Reader) (int64, error) {
	row, err := io.ReadAll(r)
	if len(bytes.TrimSpace(row)) > 0 {
		c.rows = append(c.rows, row)
	}
	return int64(len(row)), err
}

// Flush draws the rows.
func (c *console) Flush(int) error {
	rows := c.rows[max(0, len(c.rows)-c.height):]
	for _, row := range rows {
		_, _ = c.Write(row) // to a buffer
	}
	c.rows = c.rows[:0]
	return c.Writer.Flush(len(rows))
}
