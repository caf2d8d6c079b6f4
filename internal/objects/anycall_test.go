package objects

import (
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// decider makes choices from bytes, for a fuzzer, and random ones when there
// are no more.
type decider struct {
	b   []byte
	rnd *rand.Rand
}

func (c *decider) below(n int) int {
	if len(c.b) == 0 {
		return c.rnd.IntN(n)
	}
	x := int(c.b[0])
	c.b = c.b[1:]
	if n > 256 && len(c.b) > 0 {
		x = x<<8 | int(c.b[0])
		c.b = c.b[1:]
	}
	return x % n
}

func pick[T any](c *decider, from ...T) T { return from[c.below(len(from))] }

// value is any value, with references to objects.
func (c *decider) value(depth int, ids []uint64) pyvalue.Value {
	n := 22
	if depth == 0 {
		n = 11
	}
	several := func() (all []pyvalue.Value) {
		for range c.below(4) {
			all = append(all, c.value(depth-1, ids))
		}
		return all
	}
	switch c.below(n) {
	case 0, 1:
		return nil
	case 2:
		return c.below(2) == 0
	case 3, 4:
		return pick[int64](c, -1, 0, 1, 2, 3, 7, 40, -2, 255, 256, math.MaxInt32, math.MaxInt64, math.MinInt64)
	case 5:
		return pick(c, 0.0, 0.001, -1.0, 1.5, math.NaN(), math.Inf(1), math.Inf(-1), 1e300)
	case 6, 7:
		return pick(c, "", "a", "b", "k", "i", "d", "x\xed\xa0\x80", "append", "key")
	case 8:
		return pick(c, []byte{}, []byte("a"), []byte("0123456789abcdef"))
	case 9:
		return new(big.Int).Lsh(big.NewInt(pick[int64](c, 1, -1)), 80)
	case 10, 11:
		if len(ids) > 0 {
			return pyvalue.Ref{ID: pick(c, ids...), Type: "list"}
		}
		return pyvalue.Ref{ID: 12345, Type: "list"}
	case 12, 13:
		return &pyvalue.List{Items: several()}
	case 14:
		return pyvalue.Tuple(several())
	case 15, 16:
		d := &pyvalue.Dict{}
		for range c.below(4) {
			d.Entries = append(d.Entries, pyvalue.Entry{Key: c.value(0, ids), Value: c.value(depth-1, ids)})
		}
		return d
	case 17:
		return &pyvalue.Set{Items: several()}
	case 18:
		return &pyvalue.FrozenSet{Items: several()}
	case 19:
		return pyvalue.Slice{Start: c.value(0, nil), Stop: c.value(0, nil), Step: c.value(0, nil)}
	case 20:
		return pyvalue.Range{Start: pick[int64](c, 0, 1, -5), Stop: pick[int64](c, 0, 9, math.MaxInt64), Step: pick[int64](c, 1, -1, 3, 0)}
	}
	return &pyvalue.Object{
		Func: pick(c, pyvalue.Global{Module: "builtins", Name: "getattr"}, iterClass, reversedClass, arrayClass, pyvalue.Global{Module: "m", Name: "f"}),
		Args: pyvalue.Tuple(several()), Items: several(), State: c.value(0, ids), HasState: c.below(2) == 0,
	}
}

// args are arguments of any shape: trees as Python's, or CBOR as Go's.
func (c *decider) args(ids []uint64) (a store.Args, python bool) {
	python = c.below(2) == 0
	item := func() store.Item {
		v := c.value(2, ids)
		if c.below(2) == 0 { // what methods want mostly
			v = pick[pyvalue.Value](c, nil, int64(0), int64(1), int64(2), pyList(), pyList(int64(1), int64(2)), "a", 0.001)
		}
		if !python {
			if raw, err := interchange.AppendValue(nil, v); err == nil && interchange.Check(raw, interchange.Limits{}) == nil {
				return store.Raw(raw)
			}
		}
		return store.Of(v)
	}
	for range pick(c, 0, 1, 1, 2, 3) {
		a.Pos = append(a.Pos, item())
	}
	if python && c.below(8) == 0 {
		a.Named = map[string]store.Item{pick(c, "timeout", "block", "key", "reverse", "func", "chunksize", "n"): item()}
	}
	return a, python
}

// kinds are the ids of all types that clients can create.
func kinds() (ids []string) {
	for _, t := range slices.Concat(queueTypes(), syncTypes(), containerTypes(), poolTypes()) {
		if t.New != nil {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

func methodNames[F any](tables ...map[string]F) (names []string) {
	for _, t := range tables {
		names = slices.AppendSeq(names, maps.Keys(t))
	}
	slices.Sort(names)
	return names
}

// methodsOf are all methods of an object, and some that it does not have.
func methodsOf(s *store.Store, id uint64) []string {
	o, _ := s.Object(id)
	switch o.(type) {
	case *queue:
		return methodNames(queueClass.methods)
	case *mutex:
		return methodNames(mutexClass.methods)
	case *rlock:
		return methodNames(rlockClass.methods)
	case *semaphore:
		return methodNames(semaphoreMethods)
	case *condition:
		return methodNames(conditionClass.methods)
	case *event:
		return methodNames(eventClass.methods)
	case *barrier:
		return methodNames(barrierClass.methods)
	case *rwlock:
		return methodNames(rwlockClass.methods)
	case *waitGroup:
		return methodNames(waitGroupClass.methods)
	case *once:
		return methodNames(onceClass.methods)
	case *list:
		return methodNames(listClass.methods)
	case *dict:
		return append(methodNames(dictClass.methods), methodNames(mappingClass.methods)...)
	case *set:
		return methodNames(setClass.methods)
	case *array:
		return methodNames(arrayMethods.methods)
	case *value:
		return methodNames(valueClass.methods)
	case *namespace:
		return append(methodNames(namespaceClass.methods), methodNames(mappingClass.methods)...)
	}
	if t, ok := s.Lookup(id); ok && len(t.Exposed) > 0 {
		return t.Exposed
	}
	return []string{"__next__", "get", "wait", "mp.wait", "mp.signal", "mp.broadcast"}
}

// stranger is a client that calls anything.
type stranger struct {
	*client
	c     *decider
	ids   []uint64
	calls []*pending
}

func (x *stranger) step() {
	switch x.c.below(16) {
	case 0:
		if len(x.ids) > 40 {
			return
		}
		a, _ := x.c.args(x.ids)
		id, _, err := x.ss.Create(pick(x.c, kinds()...), a)
		if err == nil {
			x.ids = append(x.ids, id)
		}
		return
	case 1:
		if len(x.calls) > 0 {
			p := pick(x.c, x.calls...)
			pick(x.c, p.Cancel, p.Lost, p.Acknowledge)()
		}
		return
	case 2:
		x.s.NumberOfObjects()
		_ = x.s.DebugInfo()
		return
	}
	id := pick(x.c, x.ids...)
	a, python := x.c.args(x.ids)
	p := &pending{room: 3}
	p.Method, p.Args, p.Python, p.Owner = pick(x.c, methodsOf(x.s, id)...), a, python, x.owner
	switch p.Method {
	case "shutdown", "mp.closeWrite", "close", "terminate": // after which there is little to see
		if x.c.below(8) > 0 {
			return
		}
	}
	if x.c.below(4) == 0 {
		p.Deadline = time.Now().Add(time.Millisecond)
	}
	x.ss.Begin(&p.Call, id, answerTo{p})
	p.mu.Lock()
	if p.newID != 0 {
		x.ids = append(x.ids, p.newID)
	}
	p.mu.Unlock()
	x.calls = append(x.calls, p)
}

// strangers call anything of a few objects of one kind, or of all kinds, each on
// a goroutine of its own, and leave. Nothing panics, no call has two answers,
// and nothing is left.
func strangers(t *testing.T, kind string, steps int, deciders ...*decider) {
	s := store.New(store.Limits{Bytes: 4 << 20, Objects: 2000, Calls: 500})
	Register(s)
	defer s.Close()
	s.OnPanic(func(b *store.Broken) { t.Errorf("%v\n%s", b, b.Stack) })
	shared := connect(t, s)
	var ids []uint64
	for _, k := range kinds() {
		if k != kind && kind != "" && k != "list" {
			continue
		}
		for _, a := range [][]pyvalue.Value{{}, {int64(1)}, {"i", int64(3)}, {"i", pyList(int64(1), int64(2))}} {
			if id, _, err := shared.ss.Create(k, arguments(a)); err == nil {
				ids = append(ids, id)
			}
		}
	}
	var wg sync.WaitGroup
	all := make([]*stranger, len(deciders))
	for i, c := range deciders {
		me := connect(t, s)
		if i%2 == 1 {
			me = me.channel()
		}
		me.auto = false
		all[i] = &stranger{client: me, c: c, ids: slices.Clone(ids)}
		wg.Go(func() {
			for range steps {
				all[i].step()
			}
			all[i].ss.End(nil)
		})
	}
	wg.Wait()
	for _, x := range all {
		for _, p := range x.calls {
			if p.mu.Lock(); p.times > 1 {
				t.Errorf("%s has %d answers", p.Method, p.times)
			}
			p.mu.Unlock()
		}
	}
	shared.ss.End(nil)
}

// All methods of all kinds, with arguments of all shapes, by several clients at
// once.
func TestAnyCall(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for round := range uint64(6) { // short ones: many methods close for good
		for _, kind := range append(kinds(), "") {
			var all []*decider
			for i := range uint64(4) {
				all = append(all, &decider{rnd: rand.New(rand.NewPCG(seed, 4*round+i))})
			}
			strangers(t, kind, 60, all...)
		}
	}
}

// FuzzCalls is TestAnyCall of one client, whose choices the bytes are.
func FuzzCalls(f *testing.F) {
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		b := make([]byte, 400)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &decider{b: b, rnd: rand.New(rand.NewPCG(1, 1))}
		strangers(t, pick(c, append(kinds(), "")...), 1+len(b)/8, c)
	})
}
