package objects

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
	"multiproc/mptest"
)

// probe is a store with one client, for tests of containers.
type probe struct {
	t  testing.TB
	s  *store.Store
	ss *store.Session
}

func newProbe(t testing.TB, l store.Limits) *probe {
	t.Helper()
	s := store.New(l)
	Register(s)
	t.Cleanup(s.Close)
	return &probe{t, s, s.Join(store.Client{Name: "test"})}
}

// thing is an object of the store.
type thing struct {
	*probe
	id  uint64
	typ string
}

// outcome is the answer to a call, and what was emitted before it.
type outcome struct {
	store.Call
	mu      sync.Mutex
	replied bool
	v       store.Item
	err     error
	newID   uint64
	newType string
	events  []store.Item
	room    int // for events; negative: any number
}

func (o *outcome) Return(v store.Item, taken bool) {
	if taken {
		o.Acknowledge()
	}
	o.set(func() { o.v = v })
}

func (o *outcome) Fail(err error) { o.set(func() { o.err = err }) }

func (o *outcome) New(typ *store.Type, id uint64) {
	o.set(func() { o.newID, o.newType = id, typ.ID })
}

func (o *outcome) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.replied {
		panic("a second answer")
	}
	o.replied = true
	f()
}

func (o *outcome) Emit(v store.Item) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.room >= 0 && len(o.events) >= o.room {
		return false
	}
	o.events = append(o.events, v)
	return true
}

func (o *outcome) seen() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]string, len(o.events))
	for i, e := range o.events {
		out[i] = pyvalue.Repr(e.Value())
	}
	return out
}

func (p *probe) create(typ string, args ...pyvalue.Value) *thing {
	p.t.Helper()
	th, err := p.tryCreate(typ, nil, args...)
	if err != nil {
		p.t.Fatalf("create %s%s: %v", typ, pyvalue.Repr(pyvalue.Tuple(args)), err)
	}
	return th
}

func (p *probe) tryCreate(typ string, named map[string]store.Item, args ...pyvalue.Value) (*thing, error) {
	a := store.Args{Named: named}
	for _, v := range args {
		a.Pos = append(a.Pos, store.Of(v))
	}
	id, _, err := p.ss.Create(typ, a)
	return &thing{p, id, typ}, err
}

// begin calls a method as Python does, or those for Go as Go does.
func (th *thing) begin(method string, named map[string]store.Item, args ...pyvalue.Value) *outcome {
	o := &outcome{room: -1}
	o.Method, o.Python = method, !strings.HasPrefix(method, "mp.")
	o.Args.Named = named
	for _, v := range args {
		it := store.Of(v)
		if !o.Python {
			raw, err := interchange.AppendValue(nil, v)
			if err != nil {
				th.t.Fatalf("%s: argument %s: %v", method, pyvalue.Repr(v), err)
			}
			it = store.Raw(raw)
		}
		o.Args.Pos = append(o.Args.Pos, it)
	}
	th.ss.Begin(&o.Call, th.id, o)
	return o
}

// call is begin for methods that answer without anybody's help.
func (th *thing) call(method string, args ...pyvalue.Value) (pyvalue.Value, error) {
	th.t.Helper()
	o := th.begin(method, nil, args...)
	mptest.Eventually(th.t, o.answered, "%s.%s answers", th.typ, method)
	return o.v.Value(), o.err
}

func (o *outcome) answered() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.replied
}

// text is what call returns in the form of canonical.
func (th *thing) text(method string, args ...pyvalue.Value) string {
	th.t.Helper()
	return canonical(th.call(method, args...))
}

// wants checks what a call returns, and the contents after it unless they are
// "".
func (th *thing) wants(want, contents, method string, args ...pyvalue.Value) {
	th.t.Helper()
	if got := th.text(method, args...); got != want {
		th.t.Errorf("%s.%s%s = %s, want %s", th.typ, method, pyvalue.Repr(pyvalue.Tuple(args)), got, want)
	}
	if got := th.repr(); contents != "" && got != contents {
		th.t.Errorf("after %s.%s%s: %s, want %s", th.typ, method, pyvalue.Repr(pyvalue.Tuple(args)), got, contents)
	}
}

func (th *thing) object() store.Object {
	th.t.Helper()
	o, ok := th.s.Object(th.id)
	if !ok {
		th.t.Fatalf("%s %x is gone", th.typ, th.id)
	}
	return o
}

func (th *thing) repr() string { return th.object().Repr() }

func (th *thing) ref() pyvalue.Ref { return pyvalue.Ref{ID: th.id, Type: th.typ} }

// canonical is a result as a text: an exception with its arguments, sets
// sorted, what Python pickles of views and iterators as a list.
func canonical(v pyvalue.Value, err error) string {
	if err != nil {
		e := pyvalue.ToException(err)
		return "!" + e.Class.Name + pyvalue.Repr(e.Args)
	}
	switch v := v.(type) {
	case *pyvalue.FrozenSet:
		return "frozenset(" + canonical(setOf(v.Items...), nil) + ")"
	case *pyvalue.Set:
		items := make([]string, len(v.Items))
		for i, x := range v.Items {
			items[i] = canonical(x, nil)
		}
		slices.Sort(items)
		return "{" + strings.Join(items, ", ") + "}"
	case pyvalue.Global:
		return v.Name
	case *pyvalue.Object:
		class, _ := v.Func.(pyvalue.Global)
		args, _ := v.Args.(pyvalue.Tuple)
		if class.Module == "builtins" && len(args) == 1 {
			items, err := newLoops(nil, nil).elements(v)
			if class.Name == "list" {
				items, err = newLoops(nil, nil).elements(args[0])
			}
			if err == nil {
				return pyvalue.Repr(&pyvalue.List{Items: items})
			}
		}
		if class == arrayClass {
			code, _ := codeOf(args[0])
			b, _ := args[1].([]byte)
			return (&array{code: code, b: b}).Repr()
		}
	}
	return pyvalue.Repr(v)
}

func listOf(items ...pyvalue.Value) *pyvalue.List {
	if items == nil {
		items = []pyvalue.Value{}
	}
	return &pyvalue.List{Items: items}
}

func ints(n ...int64) *pyvalue.List {
	l := listOf()
	for _, x := range n {
		l.Items = append(l.Items, x)
	}
	return l
}

func dictOf(kv ...pyvalue.Value) *pyvalue.Dict {
	d := &pyvalue.Dict{}
	for i := 0; i < len(kv); i += 2 {
		d.Entries = append(d.Entries, pyvalue.Entry{Key: kv[i], Value: kv[i+1]})
	}
	return d
}

func setOf(items ...pyvalue.Value) *pyvalue.Set { return &pyvalue.Set{Items: items} }
