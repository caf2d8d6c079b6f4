package harness

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"multiproc/bench/internal/stats"
)

// WriteTable writes one paragraph a row: ours, then each peer with what ours is beside it, what was promised and
// whether the promise holds. A line ends with the spread of the rounds, so that a noisy figure is seen as one.
func WriteTable(w io.Writer, results []Result) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "work\tpeer\tmedian\tours is\tmust be\tverdict\trounds")
	for i := range results {
		results[i].write(tw)
	}
	return tw.Flush()
}

func (r *Result) write(w io.Writer) {
	name := r.Name
	for i := range r.Series {
		s := &r.Series[i]
		line := []string{name, s.Peer, s.median(r.Unit), r.ratio(s), "", "", s.spread(r.Unit)}
		for _, t := range r.Targets {
			if t.Peer == s.Peer {
				line[4], line[5] = t.Text(r.Unit), r.Judge(t).String()
			}
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
		name = ""
	}
}

// median is what stands for a contestant: its figure, or a dash when it has none.
func (s *Series) median(u Unit) string {
	if len(s.Values) == 0 {
		return "–"
	}
	return u.Format(stats.Median(s.Values))
}

// ratio says in words on which side of the peer ours stands.
func (r *Result) ratio(s *Series) string {
	ours, ok := r.Find(Ours)
	if !ok || ours == s || len(ours.Values) == 0 || len(s.Values) == 0 {
		return ""
	}
	less, more := "faster", "slower"
	if r.Unit != Seconds {
		less, more = "less", "more"
	}
	mine, theirs := stats.Median(ours.Values), stats.Median(s.Values)
	switch {
	case mine <= 0 || theirs <= 0:
		return ""
	case mine <= theirs:
		return digits(theirs/mine) + "x " + less
	default:
		return digits(mine/theirs) + "x " + more
	}
}

// spread is the lowest and the highest round, or why there is none.
func (s *Series) spread(u Unit) string {
	if len(s.Values) == 0 {
		if s.Err == nil {
			return "not run"
		}
		return strings.ReplaceAll(s.Err.Error(), "\n", " ")
	}
	text := fmt.Sprintf("%s … %s", u.Format(slices.Min(s.Values)), u.Format(slices.Max(s.Values)))
	if s.Failed > 0 {
		text += fmt.Sprintf(" (%d failed: %v)", s.Failed, s.Err)
	}
	return text
}
