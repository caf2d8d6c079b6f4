package interchange_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"multiproc/internal/codec"
	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
)

type (
	mixed   struct{ Name, secret string }
	twins   struct{ A, B int }
	guarded struct{ mu sync.Mutex }
	clash   struct {
		twins
		A int
	}
	renames struct {
		X int `mp:"Y"`
		Y int
	}
	skips struct {
		X int `mp:"-"`
	}
	options struct {
		X int `mp:"x,omitempty"`
	}
	nameless struct {
		X int `mp:""`
	}
	selfish struct {
		Self *selfish
		Stop []map[string]chan struct{}
	}
	embedsTime struct {
		time.Time
		Name string
	}
)

func init() { codec.RegisterFile(func(f *os.File) (*os.File, error) { return f, nil }) } // as mp does

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[chan int](), "chan int cannot travel to another program; share a *mp.Queue instead"},
		{reflect.TypeFor[selfish](), "interchange_test.selfish.Stop[][]: chan struct {} cannot travel to another program; share a *mp.Queue instead"},
		{reflect.TypeFor[[]func()](), "[]func()[]: func() cannot travel to another program; send what it needs to know"},
		{reflect.TypeFor[uintptr](), "uintptr cannot travel to another program; addresses mean nothing there; for a mere number use uint64"},
		{reflect.TypeFor[unsafe.Pointer](), "unsafe.Pointer cannot travel to another program; addresses mean nothing there; for a mere number use uint64"},
		{reflect.TypeFor[[]fmt.Stringer](), "[]fmt.Stringer[]: fmt.Stringer cannot travel to another program; other programs do not know the types behind it; use a concrete type, error or any"},
		{reflect.TypeFor[map[error]int](), "map[error]int[key]: error cannot travel to another program; as a key it would not equal any pointer there"},
		{reflect.TypeOf(&guarded{mu: sync.Mutex{}}), "*interchange_test.guarded.mu: sync.Mutex cannot travel to another program; a copy would guard nothing; share a *mp.Mutex instead"},
		{reflect.TypeFor[*os.File](), "*os.File cannot travel to another program; its descriptor stays on this machine, with this program: send it in the arguments or the result of a task, or through a pipe or a queue made without mp.In"},
		{reflect.TypeFor[struct{ L *net.TCPListener }](), "struct { L *net.TCPListener }.L: *net.TCPListener cannot travel to another program; its descriptor stays on this machine, with this program: send it in the arguments or the result of a task, or through a pipe or a queue made without mp.In"},
		{reflect.TypeOf(mixed{"", ""}), "interchange_test.mixed.secret: an unexported field cannot travel to another program; export the field secret, or give interchange_test.mixed the methods MarshalText and UnmarshalText"},
		{reflect.TypeFor[struct{ Mu sync.Mutex }](), "struct { Mu sync.Mutex }.Mu: sync.Mutex cannot travel to another program; a copy would guard nothing; share a *mp.Mutex instead"},
		{reflect.TypeFor[struct{ Q queue[int] }](), "struct { Q interchange_test.queue[int] }.Q: interchange_test.queue[int] cannot travel to another program; use *interchange_test.queue[int]"},
		{reflect.TypeFor[map[*int]string](), "map[*int]string[key]: *int cannot travel to another program; as a key it would not equal any pointer there"},
		{reflect.TypeFor[clash](), `interchange_test.clash: interchange_test.clash has two fields named "A" on the wire; give one of them another name with a tag mp:"name"`},
		{reflect.TypeFor[renames](), `interchange_test.renames: interchange_test.renames has two fields named "Y" on the wire; give one of them another name with a tag mp:"name"`},
		{reflect.TypeFor[skips](), `interchange_test.skips: interchange_test.skips.X has the tag mp:"-", which is no name; every field travels, under its own name or one without a comma`},
		{reflect.TypeFor[options](), `interchange_test.options: interchange_test.options.X has the tag mp:"x,omitempty", which is no name; every field travels, under its own name or one without a comma`},
		{reflect.TypeFor[nameless](), `interchange_test.nameless: interchange_test.nameless.X has the tag mp:"", which is no name; every field travels, under its own name or one without a comma`},
		{nil, "interchange: no type given"},
	} {
		if _, err := interchange.OfType(tt.typ); err == nil || err.Error() != tt.want {
			t.Errorf("%v: got  %v\nwant %s", tt.typ, err, tt.want)
		}
	}
	for _, tt := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[[]int](), "[]int cannot travel to another program; as a key it would have no == in Go; use an array or a struct"},
		{reflect.TypeFor[*int](), "*int cannot travel to another program; as a key it would not equal any pointer there"},
		{reflect.TypeFor[list](), "interchange_test.list: *interchange_test.list cannot travel to another program; as a key it would not equal any pointer there"},
		{reflect.TypeFor[chan int](), "chan int cannot travel to another program; share a *mp.Queue instead"},
	} {
		if _, err := interchange.OfKey(tt.typ); err == nil || err.Error() != tt.want {
			t.Errorf("%v as a key: got  %v\nwant %s", tt.typ, err, tt.want)
		}
	}
}

// Values that their type allows and the wire does not.
func TestUnfit(t *testing.T) {
	ring := &list{Value: 1}
	ring.Next = ring
	type pointer *pointer
	var self pointer
	self = &self
	var inAny any
	inAny = &inAny
	anys := []any{nil}
	anys[0] = anys
	dict := map[string]any{}
	dict["self"] = dict
	const cyclic = "the value is cyclic or nested deeper than 1000 levels"
	for name, tt := range map[string]struct {
		value any
		want  string
	}{
		"ring":          {ring, cyclic},
		"pointer":       {self, cyclic},
		"any":           {inAny, cyclic},
		"anys":          {anys, cyclic},
		"dict":          {dict, cyclic},
		"channel":       {[]any{1, make(chan int)}, "[]interface {}[1]: chan int cannot travel"},
		"list in a set": {&pyvalue.Set{Items: []any{[]any{}}}, "a []interface {} cannot be a key or a member of a set"},
		"dict as key":   {&pyvalue.Dict{Entries: entries(&pyvalue.Dict{}, 1)}, "[key]: a *pyvalue.Dict cannot be a key"},
		"bytearray":     {&pyvalue.FrozenSet{Items: []any{&pyvalue.ByteArray{}}}, "cannot be a key"},
		"late":          {time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "a time in the year 10000"},
		"early":         {time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), "a time in the year 0"},
		"type id":       {pyvalue.Ref{ID: 1, Type: strings.Repeat("x", 256)}, "the type id has at most 255 bytes"},
		"slice":         {pyvalue.Slice{Start: "a"}, "a pyvalue.Slice with a string in it; only integers can travel there"},
		"range":         {pyvalue.Range{Start: 1, Stop: 2}, "a pyvalue.Range with a <nil> in it"},
		"class":         {global("\xff", "a"), "not UTF-8"},
		"path":          {map[string][]any{"k": {struct{ F any }{func() {}}}}, "map[string][]interface {}[k][0](struct { F interface {} }).F: func() cannot travel"},
	} {
		b, err := interchange.AppendValue([]byte("x"), tt.value)
		if err == nil || !strings.Contains(err.Error(), tt.want) || string(b) != "x" {
			t.Errorf("%s: %q, %v; want %s", name, b, err, tt.want)
		}
		if _, err := interchange.ToValue(tt.value, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s as a value: %v", name, err)
		}
	}
}

func TestHandles(t *testing.T) {
	type holder struct {
		Queue  *queue[int]
		Queues map[string]*queue[string]
		Any    any
	}
	s := sessions{}
	sent := holder{&queue[int]{7}, map[string]*queue[string]{"a": {8}, "b": nil}, &queue[int]{9}}
	b := encode(t, sent, s)
	got, err := decode[holder](t, b, s)
	if err != nil || got.Queue.id != 7 || got.Queues["a"].id != 8 || got.Queues["b"] != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if ref, ok := got.Any.(pyvalue.Ref); !ok || ref.ID != 9 || ref.Type != "Queue" {
		t.Errorf("in the any is %#v", got.Any)
	}
	p := plan[holder](t)
	if !p.HasHandles() || !p.HasAny() || p.Type() != reflect.TypeFor[holder]() {
		t.Error("the plan does not know its type")
	}
	if q := plan[order](t); q.HasHandles() || q.HasAny() {
		t.Error("the plan knows of handles that are not there")
	}
	if _, err := p.Append(nil, &sent, nil); err == nil || !strings.Contains(err.Error(), "mentions shared objects, which this message cannot carry") {
		t.Errorf("without a session: %v", err)
	}
	if err := p.Decode(b, &got, nil); err == nil || !strings.Contains(err.Error(), "mentions shared objects") {
		t.Errorf("without a session: %v", err)
	}
	if _, err := interchange.ToValue([]any{&queue[int]{7}}, nil); err == nil || !strings.Contains(err.Error(), "this message cannot carry shared objects") {
		t.Errorf("without a session: %v", err)
	}
	over := errors.New("the session is over")
	if _, err := p.Append(nil, &sent, sessions{over}); !errors.Is(err, over) {
		t.Errorf("Append: %v", err)
	}
	if _, err := decode[holder](t, b, sessions{over}); !errors.Is(err, over) {
		t.Errorf("Decode: %v", err)
	}
	if _, _, err := interchange.ParseRef([]byte("short")); err == nil {
		t.Error("a short reference is one")
	}
}

func TestConversion(t *testing.T) {
	s := sessions{}
	for _, tt := range []struct{ from, want any }{
		{nil, nil},
		{5, int64(5)},
		{uint64(1 << 63), number("0x8000000000000000")},
		{"a", "a"},
		{point{1, 2}, &pyvalue.Dict{Entries: entries("X", int64(1), "Y", int64(2))}},
		{[]any{1, pyvalue.Tuple{2}}, &pyvalue.List{Items: []any{int64(1), pyvalue.Tuple{int64(2)}}}},
		{map[point]struct{}{{1, 2}: {}}, &pyvalue.Set{Items: []any{pyvalue.Tuple{int64(1), int64(2)}}}},
		{&queue[int]{7}, pyvalue.Ref{ID: 7, Type: "Queue"}},
	} {
		got, err := interchange.ToValue(tt.from, s)
		if err != nil || !same(got, tt.want) {
			t.Errorf("%#v becomes %#v, %v", tt.from, got, err)
		}
	}
	var p point
	if err := interchange.FromValue(pyvalue.Tuple{int64(1), int64(2)}, &p, nil); err != nil || p != (point{1, 2}) {
		t.Errorf("got %v, %v", p, err)
	}
	var q *queue[int]
	if err := interchange.FromValue(pyvalue.Ref{ID: 7, Type: "Queue"}, &q, s); err != nil || q.id != 7 {
		t.Errorf("got %v, %v", q, err)
	}
	var a any
	if err := interchange.FromValue(&pyvalue.List{Items: []any{int64(1)}}, &a, nil); err != nil || !reflect.DeepEqual(a, []any{1}) {
		t.Errorf("got %#v, %v", a, err)
	}
	if err := interchange.FromValue(nil, p, nil); err == nil || err.Error() != "interchange: FromValue into a interchange_test.point; give a pointer to a variable" {
		t.Errorf("got %v", err)
	}
	if err := interchange.FromValue("a", &p, nil); err == nil || p != (point{1, 2}) {
		t.Errorf("after %v the variable is %v", err, p)
	}
	e := travel(t, embedsTime{time.Unix(1, 0).UTC(), "n"}, nil)
	if !e.Time.Equal(time.Unix(1, 0)) || e.Name != "n" {
		t.Errorf("got %v", e)
	}
}
