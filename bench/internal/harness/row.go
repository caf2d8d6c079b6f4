// Package harness runs contestants side by side, round after round, and judges ours against its peers.
package harness

import (
	"context"
	"errors"
)

// Ours is the name of the contestant that targets are about.
const Ours = "ours"

// Run does n operations and returns the cost of one of them in the row's unit (seconds, bytes, a count).
type Run func(ctx context.Context, n int) (float64, error)

// ErrAbsent is wrapped by a Run that cannot take part here: no interpreter, no compiler, not built in.
var ErrAbsent = errors.New("absent")

// Contestant is one way of doing a row's work.
type Contestant struct {
	Peer  string // its name in the table; Ours for ours
	N     int    // operations in a full round
	Short int    // operations in a short one
	Run   Run
}

// Row is one line of the promise: a piece of work, who does it, and what ours must reach.
type Row struct {
	Name        string
	Unit        Unit
	Contestants []Contestant
	Targets     []Target
}

// Series is what one contestant measured, a value a round.
type Series struct {
	Peer   string
	Values []float64
	Failed int   // rounds that ended with an error
	Err    error // the last of them
}

// Result is a measured row; the series stand in the order of the row's contestants.
type Result struct {
	Row
	Series []Series
}

// Find returns the series of a peer.
func (r *Result) Find(peer string) (*Series, bool) {
	for i := range r.Series {
		if r.Series[i].Peer == peer {
			return &r.Series[i], true
		}
	}
	return nil, false
}
