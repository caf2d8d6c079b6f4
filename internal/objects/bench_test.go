package objects

import (
	"testing"

	"multiproc/internal/store"
)

// quick is a call of a benchmark, and takes its answer.
type quick struct{ store.Call }

func (q *quick) begin(ss *store.Session, id uint64, method string, args ...store.Item) {
	q.Call.Method, q.Args.Pos = method, args
	ss.Begin(&q.Call, id, ack{q})
}

type ack struct{ *quick }

func (a ack) Return(_ store.Item, taken bool) {
	if taken {
		a.Acknowledge()
	}
}
func (a ack) Fail(err error)          { panic(err) }
func (a ack) Emit(store.Item) bool    { return true }
func (a ack) New(*store.Type, uint64) {}

// BenchmarkCalls measures pairs of calls without a connection.
func BenchmarkCalls(b *testing.B) {
	item := store.Raw([]byte{0x65, 'h', 'e', 'l', 'l', 'o'})
	for _, bench := range []struct {
		kind, one, two string
		args           []store.Item
	}{
		{"Queue", "mp.put", "mp.get", []store.Item{item}},
		{"Lock", "mp.lock", "mp.unlock", nil},
		{"RLock", "acquire", "release", nil},
		{"Semaphore", "acquire", "release", nil},
		{"Event", "set", "is_set", nil},
	} {
		b.Run(bench.kind, func(b *testing.B) {
			c := connect(b, newStore(b, store.Limits{}))
			id := c.create(bench.kind)
			b.ReportAllocs()
			for b.Loop() {
				(&quick{}).begin(c.ss, id, bench.one, bench.args...)
				(&quick{}).begin(c.ss, id, bench.two)
			}
		})
	}
}
