package robust

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"multiproc/internal/childtest"
)

func init() { roles["retire"] = childRetire }

// childRetire retires in a state of its argument's choice: for good, so a
// process of its own does it.
func childRetire(c *childtest.Self) {
	m := childMemory(c)
	l := m.lock(8)
	for range 2 * promoteAfter {
		if _, err := l.Lock(context.Background()); err != nil {
			c.Check(err)
		}
		l.Unlock()
	}
	e := m.event(40)
	held := 0
	switch c.Args[0] {
	case "holds":
		_, err := l.Lock(context.Background())
		c.Check(err)
	case "holds for life":
		_, _, err := m.lock(20).TryLock()
		c.Check(err)
		held = 1
	case "waits":
		go func() { _ = e.Wait(context.Background(), func() bool { return false }) }()
		for !e.Waiting() {
			runtime.Gosched()
		}
	}
	c.Say("quiet: %v", Retire(held, 1))
	// Nobody gets in any more.
	done := make(chan string, 3)
	go func() { _, _ = m.lock(24).Lock(context.Background()); done <- "locked" }()
	go func() { _, _ = l.Lock(context.Background()); done <- "locked again" }()
	go func() { _ = e.Wait(context.Background(), func() bool { return true }); done <- "waited" }()
	for i := 0; i < 1000; i++ {
		runtime.Gosched()
	}
	select {
	case what := <-done:
		c.Say("%s", what)
	default:
		c.Say("nobody got in")
	}
}

func TestRetire(t *testing.T) {
	for state, quiet := range map[string]string{"idle": "true", "holds": "false", "holds for life": "true", "waits": "false"} {
		m := newMemory(t)
		c := childtest.Start(t, m.files(), "retire", state)
		if got := c.Hear(); got != "quiet: "+quiet {
			t.Errorf("%s: %s", state, got)
		}
		if got := c.Hear(); state != "holds" && !strings.HasPrefix(got, "nobody") {
			t.Errorf("%s: %s", state, got)
		}
		c.Kill()
	}
}
