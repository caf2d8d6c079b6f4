package drivertest

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"sync"
	"testing"
	"time"
)

// CountWaits tells the suite how it can know that a call waits. count returns how
// many calls wait in the test's place; settled says that each of them has seen
// what was done before count was called, and goes on waiting. The function that
// opens a test's place calls it, with the t that it was given.
func CountWaits(t testing.TB, count func() (n int, settled bool)) {
	counts.Store(t.Name(), count)
	t.Cleanup(func() { counts.Delete(t.Name()) })
}

// counts are those of CountWaits, by the names of their tests.
var counts sync.Map

// waits is the number of calls that wait, once it is settled. It reports false
// if nobody knows.
func waits(t *testing.T) (n int, ok bool) {
	t.Helper()
	for name := t.Name(); name != "."; name = path.Dir(name) { // that of the test, or of one that it is a part of
		count, ok := counts.Load(name)
		if !ok {
			continue
		}
		eventually(t, func() (settled bool) {
			n, settled = count.(func() (int, bool))()
			return settled
		}, "the waits settle")
		return n, true
	}
	return 0, false
}

// eventually returns when cond is true. What tells of its state wakes nobody.
func eventually(t *testing.T, cond func() bool, what string, args ...any) {
	t.Helper()
	for end := time.Now().Add(timeLimit); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("it did not come to pass that %s", fmt.Sprintf(what, args...))
		}
	}
}

// waiting starts a call that is to wait, and checks that it does.
func waiting(t *testing.T, what string, call func(context.Context) error) (answer chan error, cancel func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t, timeLimit))
	answer = make(chan error, 1)
	before, known := waits(t)
	go func() { answer <- call(ctx) }()
	if known {
		eventually(t, func() bool {
			now, _ := waits(t)
			return now > before || len(answer) > 0
		}, "%s waits", what)
	} else {
		select {
		case err := <-answer:
			answer <- err
		case <-time.After(short):
		}
	}
	if len(answer) > 0 {
		t.Fatalf("%s does not wait: %v", what, <-answer)
	}
	return answer, cancel
}

// still checks that so many calls go on waiting, and that none of those whose
// answers are given returns.
func still(t *testing.T, what string, n int, answers ...chan error) {
	t.Helper()
	if _, known := waits(t); known {
		eventually(t, func() bool {
			now, _ := waits(t)
			return now == n
		}, "%d calls wait, unless %s", n, what)
	} else {
		<-time.After(short)
	}
	for _, answer := range answers {
		if len(answer) > 0 {
			t.Fatalf("%s: %v", what, <-answer)
		}
	}
}
