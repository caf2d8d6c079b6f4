package robust

import (
	"context"
	"testing"

	"multiproc/internal/childtest"
)

func init() {
	roles["contend"] = func(c *childtest.Self) {
		m := childMemory(c)
		l := m.lock(8)
		l.AllowResident()
		c.Say("ready")
		ctx := context.Background()
		for m.load(24) == 0 {
			_, err := l.Lock(ctx)
			c.Check(err)
			m.add(16, 1)
			l.Unlock()
		}
		c.Say("done")
	}
}

// Two processes take the same lock in turn, as fast as they can; the time is
// for one turn of either.
func BenchmarkContended(b *testing.B) {
	m := newMemory(b)
	c := childtest.Start(b, m.files(), "contend")
	c.Expect("ready")
	l := m.lock(8)
	l.AllowResident()
	ctx := context.Background()
	before := m.load(16)
	b.ResetTimer()
	for range b.N {
		_, _ = l.Lock(ctx)
		m.add(16, 1)
		l.Unlock()
	}
	b.StopTimer()
	turns := m.load(16) - before
	m.store(24, 1)
	c.Expect("done")
	l.Detach()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(turns), "ns/turn")
}
