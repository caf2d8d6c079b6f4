package harness

import (
	"errors"
	"fmt"

	"multiproc/bench/internal/stats"
)

// Target is what ours must reach: beside a peer (make it with Faster or Within) or alone (Below, AtMost).
type Target struct {
	Peer   string
	Factor float64
	kind   kind
}

type kind int

const (
	faster kind = iota
	within
	below
	atMost
)

// Faster demands that the peer costs at least factor times what ours costs.
func Faster(peer string, factor float64) Target { return Target{peer, factor, faster} }

// Within demands that ours costs at most factor times what the peer costs.
func Within(peer string, factor float64) Target { return Target{peer, factor, within} }

// Below demands that ours costs less than limit, in the row's unit, whatever others do.
func Below(limit float64) Target { return Target{Ours, limit, below} }

// AtMost is Below, and the limit itself is allowed.
func AtMost(limit float64) Target { return Target{Ours, limit, atMost} }

// Verdict is how ours stands to one target.
type Verdict struct {
	Known bool    // both sides were measured
	OK    bool    // the target is reached
	Miss  float64 // if not: the factor that is lacking, more than 1
}

func (v Verdict) String() string {
	switch {
	case !v.Known:
		return "not measured"
	case v.OK:
		return "ok"
	default:
		return fmt.Sprintf("MISSED by %.2fx", v.Miss)
	}
}

// Text is the target as the table shows it.
func (t Target) Text(u Unit) string {
	switch t.kind {
	case faster:
		return fmt.Sprintf(">= %.3gx faster", t.Factor)
	case within:
		return fmt.Sprintf("<= %.3gx slower", t.Factor)
	case atMost:
		return "<= " + u.Format(t.Factor)
	default:
		return "< " + u.Format(t.Factor)
	}
}

// Judge compares the medians of a row with one of its targets.
func (r *Result) Judge(t Target) Verdict {
	ours, ok := r.Find(Ours)
	if !ok || len(ours.Values) == 0 {
		return Verdict{}
	}
	mine := stats.Median(ours.Values)
	if t.kind == below || t.kind == atMost {
		return verdict(mine, t.Factor)
	}
	peer, ok := r.Find(t.Peer)
	if !ok || len(peer.Values) == 0 {
		return Verdict{}
	}
	theirs := stats.Median(peer.Values)
	if t.kind == faster {
		return verdict(mine*t.Factor, theirs)
	}
	return verdict(mine, theirs*t.Factor)
}

// verdict is about a cost and what it may be at most.
func verdict(cost, limit float64) Verdict {
	v := Verdict{Known: true, OK: cost <= limit}
	if !v.OK {
		v.Miss = cost / limit
	}
	return v
}

// Missed counts the targets that were measured and not reached, over all results.
func Missed(results []Result) int {
	n := 0
	for i := range results {
		for _, t := range results[i].Targets {
			if v := results[i].Judge(t); v.Known && !v.OK {
				n++
			}
		}
	}
	return n
}

// Failed returns what went wrong in any measurement, beyond a contestant's absence: a failing peer is no reason to be
// content with ours.
func Failed(results []Result) error {
	var all []error
	for i := range results {
		for _, s := range results[i].Series {
			if s.Err != nil && !errors.Is(s.Err, ErrAbsent) {
				all = append(all, fmt.Errorf("%s: %s: %w", results[i].Name, s.Peer, s.Err))
			}
		}
	}
	return errors.Join(all...)
}
