// Package mptest is for tests of programs that start processes with package
// mp: the test binary plays its own children, and a run that leaves anything
// behind fails.
//
//	func TestMain(m *testing.M) { mptest.Main(m) }
//
// Tasks are package-level variables of the test files. Children run
// TestMain and no further: what a test changes in memory they do not see.
package mptest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"multiproc/mp"
)

// settle is how long Main waits for what ends by itself: goroutines on their
// way out, memory that the collector has yet to unmap.
var settle = 3 * time.Second

// Main is the whole of a TestMain. In a child it runs the task and never
// returns. In the test process it runs the tests, ends the spares, and then
// fails the run if there is anything that was not there before: a child, an
// open descriptor, a mapped shared object, a goroutine, a file in /dev/shm.
//
// A handle that a test has made is closed by the test.
func Main(m *testing.M) {
	mp.Init()
	hurryRace()
	found()
	before := look()
	code := m.Run()
	_ = mp.KeepSpares(0)
	if left := before.compare(settle); left != "" {
		fmt.Fprintf(os.Stderr, "mptest: the tests left this behind:\n%s", left)
		code = max(code, 1)
	}
	os.Exit(code)
}

// hurryRace keeps children that were built with -race from sleeping for a
// second when they exit, the race detector's default.
func hurryRace() {
	const fast = "atexit_sleep_ms=0"
	if have := os.Getenv("GORACE"); !strings.Contains(have, "atexit_sleep_ms") {
		_ = os.Setenv("GORACE", strings.TrimSpace(have+" "+fast))
	}
}

// found makes what every family has for as long as its first process lives:
// the table, and the thread that owns locks. On a platform without support
// there is nothing to make.
func found() {
	if c, err := mp.NewCounter(0); err == nil {
		_ = c.Close()
	}
}
