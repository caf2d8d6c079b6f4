package objects

import (
	"fmt"
	"testing"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// script is what a client does before it dies: after each step, or in the
// middle of it, when the answer is on its way.
type script struct {
	kind  string
	args  []pyvalue.Value
	steps []deed
	// use is what must work afterwards, at once.
	use func(witness *client, id uint64)
}

// deed is a call of the dying client, or of a witness.
type deed struct {
	witness bool
	method  string
	args    []pyvalue.Value
}

func mine(method string, args ...pyvalue.Value) deed   { return deed{false, method, args} }
func others(method string, args ...pyvalue.Value) deed { return deed{true, method, args} }

var scripts = map[string]script{
	"lock": {
		kind:  "Lock",
		steps: []deed{mine("acquire"), others("acquire"), mine("release"), mine("acquire"), others("release"), mine("acquire")},
		use:   lockAndUnlock,
	},
	"mutex": {
		kind:  "Lock",
		steps: []deed{mine("mp.lock"), others("mp.lock"), others("mp.lockBroken"), mine("mp.unlock"), mine("mp.lockBroken"), mine("mp.heal")},
		use:   lockAndUnlock,
	},
	"rlock": {
		kind:  "RLock",
		steps: []deed{mine("acquire"), mine("acquire"), others("acquire"), mine("release"), mine("release"), mine("acquire")},
		use:   lockAndUnlock,
	},
	"semaphore": {
		kind: "BoundedSemaphore", args: []pyvalue.Value{int64(2)},
		steps: []deed{mine("acquire"), mine("acquire"), others("acquire"), mine("release"), mine("acquire"), others("release")},
		use:   lockAndUnlock,
	},
	"condition": {
		kind: "Condition",
		steps: []deed{
			mine("acquire"), mine("wait"), others("acquire"), others("notify"), others("release"), mine("wait", 0.0001),
			others("acquire"), others("notify_all"), others("release"),
		},
		use: func(w *client, k uint64) {
			lockAndUnlock(w, k)
			w.must(true, k, "acquire")
			wait := w.async(k, "wait")
			other := connect(w.t, w.s)
			other.must(true, k, "acquire")
			other.must(nil, k, "notify", int64(9))
			other.must(nil, k, "release")
			wantResult(w.t, wait, true)
		},
	},
	"event": {
		kind:  "Event",
		steps: []deed{mine("wait"), others("wait"), mine("set"), mine("clear"), mine("wait")},
		use: func(w *client, e uint64) {
			w.must(nil, e, "set")
			w.must(true, e, "wait")
		},
	},
	"barrier": {
		kind: "Barrier", args: []pyvalue.Value{int64(2)},
		steps: []deed{mine("wait"), others("wait"), mine("wait"), mine("reset"), mine("wait"), mine("abort")},
		use: func(w *client, b uint64) {
			w.must(nil, b, "reset")
			wait := w.async(b, "wait")
			w.must(int64(1), b, "wait")
			wantResult(w.t, wait, int64(0))
		},
	},
	"queue": {
		kind: "Queue", args: []pyvalue.Value{int64(2)},
		steps: []deed{
			mine("mp.get"), mine("get"), others("put", "a"), mine("mp.getBatch", int64(2)), mine("mp.put", "b"),
			mine("mp.putBatch", pyList("c", "d", "e")), mine("mp.await"), mine("join"), mine("mp.tryGet"), mine("task_done"),
		},
		use: func(w *client, q uint64) {
			for n := 0; ; n++ {
				if p := w.start(q, "mp.tryGet"); p.err != nil {
					break
				}
				if n > 10 {
					w.t.Error("items without end")
				}
			}
			w.must(int64(2), q, "mp.putBatch", pyList("x", "y"))
			w.must("x", q, "get")
			w.must("y", q, "get")
		},
	},
}

func lockAndUnlock(w *client, id uint64) {
	w.must(true, id, "acquire")
	w.must(nil, id, "release")
}

// A client may die after any step, or when the answer to it is on its way:
// whatever it did, the others can go on.
func TestDeathAtEveryStep(t *testing.T) {
	for name, sc := range scripts {
		for last := range sc.steps {
			for _, inAnswer := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/%t", name, last, inAnswer), func(t *testing.T) {
					dieAt(t, sc, last, inAnswer)
				})
			}
		}
	}
}

func dieAt(t *testing.T, sc script, last int, inAnswer bool) {
	s := newStore(t, store.Limits{})
	root := connect(t, s)
	id := root.create(sc.kind, sc.args...)
	victim, witness := connect(t, s), connect(t, s)
	for i, st := range sc.steps[:last+1] {
		who := victim
		if st.witness {
			who = witness
		}
		p := &pending{done: make(chan struct{}), auto: !inAnswer}
		if inAnswer && !st.witness && i == last {
			p.then = victim.die
		}
		who.begin(p, id, st.method, st.args...)
	}
	victim.die()
	witness.die() // what it waited for, or has got, is not the point
	// A Mutex may be broken now, and is healed; everything else is as new.
	if sc.kind == "Lock" {
		root.must(nil, id, "mp.lockBroken")
		root.must(nil, id, "mp.heal")
		root.must(nil, id, "mp.unlock")
		root.must(true, id, "mp.tryLock")
		root.must(nil, id, "mp.unlock")
	}
	sc.use(root, id)
	if n := s.NumberOfObjects(); n != 1 {
		t.Errorf("%d objects", n)
	}
}
