package mptest

import (
	"fmt"
	"testing"
	"time"
)

// timeLimit is what Eventually has where the test's own deadline is further
// away, or there is none.
const timeLimit = 30 * time.Second

// Eventually returns when cond is true, and ends the test if it does not
// become true: what, printed with its arguments, is then the message. It is
// for states that nobody announces; where there is something to wait for, a
// channel or a context, wait for that. The limit is the test's own deadline,
// or half a minute.
func Eventually(t testing.TB, cond func() bool, what string, args ...any) {
	t.Helper()
	limit := time.Now().Add(timeLimit)
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		// Early enough to say more than "test timed out".
		if end, ok := d.Deadline(); ok && end.Add(-time.Second).Before(limit) {
			limit = end.Add(-time.Second)
		}
	}
	if !poll(limit, cond) {
		t.Fatalf("it did not come to pass that %s", fmt.Sprintf(what, args...))
	}
}

// poll looks often at first, and at least once.
func poll(limit time.Time, cond func() bool) bool {
	const longest = 50 * time.Millisecond
	for pause := 100 * time.Microsecond; !cond(); pause = min(2*pause, longest) {
		if time.Now().After(limit) {
			return false
		}
		<-time.After(pause)
	}
	return true
}
