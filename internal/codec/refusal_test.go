package codec_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"multiproc/internal/codec"
)

type (
	conf struct{ Log chan int }
	job  struct {
		Name string
		Conf conf
	}
	mixed   struct{ Name, secret string }
	secrets struct{ a, b int }
	guarded struct{ mu sync.Mutex }
	knot    struct{ self *knot }
	deepJob struct {
		Jobs []map[string]*job
	}
	embedsPointer struct {
		*base
		Name string
	}
	embedsHandle struct {
		*queue[int]
		Name string
	}
	selfish struct {
		Self *selfish
		Stop chan struct{}
	}
)

func init() { codec.RegisterFile(func(f *os.File) (*os.File, error) { return f, nil }) }

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[chan int](), "chan int cannot travel to another process; share a *mp.Queue or a *mp.Conn instead"},
		{reflect.TypeFor[job](), "codec_test.job.Conf.Log: chan int cannot travel to another process; share a *mp.Queue or a *mp.Conn instead"},
		{reflect.TypeFor[deepJob](), "codec_test.deepJob.Jobs[][].Conf.Log: chan int cannot travel to another process; share a *mp.Queue or a *mp.Conn instead"},
		{reflect.TypeFor[selfish](), "codec_test.selfish.Stop: chan struct {} cannot travel to another process; share a *mp.Queue or a *mp.Conn instead"},
		{reflect.TypeFor[[]func()](), "[]func()[]: func() cannot travel to another process; make it a task with mp.Func, or send what it needs to know"},
		{reflect.TypeFor[uintptr](), "uintptr cannot travel to another process; addresses mean nothing there; for a mere number use uint64"},
		{reflect.TypeFor[unsafe.Pointer](), "unsafe.Pointer cannot travel to another process; addresses mean nothing there; for a mere number use uint64"},
		{reflect.TypeFor[[]context.Context](), "[]context.Context[]: context.Context cannot travel to another process; a task is given a context of its own, which ends with the starter's"},
		{reflect.TypeOf(&guarded{mu: sync.Mutex{}}), "*codec_test.guarded.mu: sync.Mutex cannot travel to another process; a copy would guard nothing; share a *mp.Mutex or *mp.Counter instead"},
		{reflect.TypeOf(knot{self: nil}), "codec_test.knot.self: an unexported field cannot travel to another process; export the field self, or give codec_test.knot the methods MarshalBinary and UnmarshalBinary"},
		{reflect.TypeFor[struct{ F os.File }](), "struct { F os.File }.F: os.File cannot travel to another process; use *os.File"},
		{reflect.TypeFor[map[*os.File]int](), "map[*os.File]int[key]: *os.File cannot travel to another process; as a key it would not equal any pointer there"},
		{reflect.TypeFor[[]*net.TCPListener](), `[]*net.TCPListener[]: *net.TCPListener cannot travel to another process; sockets travel in programs that import _ "multiproc/mp/mpnet"`},
		{reflect.TypeFor[net.UDPConn](), "net.UDPConn cannot travel to another process; use *net.UDPConn"},
		{reflect.TypeFor[*net.Resolver](), "*net.Resolver.Dial: func(context.Context, string, string) (net.Conn, error) cannot travel to another process; make it a task with mp.Func, or send what it needs to know"},
		{reflect.TypeOf(mixed{"", ""}), "codec_test.mixed.secret: an unexported field cannot travel to another process; export the field secret, or give codec_test.mixed the methods MarshalBinary and UnmarshalBinary"},
		{reflect.TypeOf([2]secrets{{1, 2}}), "[2]codec_test.secrets[].a: an unexported field cannot travel to another process; export the field a, or give codec_test.secrets the methods MarshalBinary and UnmarshalBinary"},
		{reflect.TypeFor[embedsPointer](), "codec_test.embedsPointer.base: an unexported field cannot travel to another process; export the field base, or give codec_test.embedsPointer the methods MarshalBinary and UnmarshalBinary"},
		{reflect.TypeFor[struct{ Mu sync.Mutex }](), "struct { Mu sync.Mutex }.Mu: sync.Mutex cannot travel to another process; a copy would guard nothing; share a *mp.Mutex or *mp.Counter instead"},
		{reflect.TypeFor[*atomic.Int64](), "*atomic.Int64: atomic.Int64 cannot travel to another process; a copy would guard nothing; share a *mp.Mutex or *mp.Counter instead"},
		{reflect.TypeFor[struct{ Q queue[int] }](), "struct { Q codec_test.queue[int] }.Q: codec_test.queue[int] cannot travel to another process; use *codec_test.queue[int]"},
		{reflect.TypeFor[map[*int]string](), "map[*int]string[key]: *int cannot travel to another process; as a key it would not equal any pointer there"},
		{reflect.TypeFor[map[[2]struct{ P *int }]string](), "map[[2]struct { P *int }]string[key]: *int cannot travel to another process; as a key it would not equal any pointer there"},
		{reflect.TypeFor[map[string]bytes.Buffer](), "map[string]bytes.Buffer[].buf: an unexported field cannot travel to another process; bytes.Buffer is of another package and has no methods MarshalBinary and UnmarshalBinary; send what the receiver can make it of, such as a name or an address"},
		{reflect.TypeFor[*time.Timer](), "*time.Timer.C: <-chan time.Time cannot travel to another process; share a *mp.Queue or a *mp.Conn instead"},
		{nil, "codec: no type given"},
	} {
		if p, err := codec.Of(tt.typ); err == nil || err.Error() != tt.want {
			t.Errorf("%v: plan %v\ngot  %v\nwant %s", tt.typ, p, err, tt.want)
		}
	}
}

func TestHandles(t *testing.T) {
	type args struct {
		N    int
		Q    *queue[int]
		Nil  *queue[string]
		More map[string][]*queue[int]
		PP   **queue[int]
		Any  any
	}
	q := &queue[int]{7}
	s := new(table)
	sent := args{1, q, nil, map[string][]*queue[int]{"a": {q, nil}}, &q, []any{q, (*queue[int])(nil)}}
	got := travel(t, sent, s)
	if got.Q.id != 7 || got.Nil != nil || (*got.PP).id != 7 || got.More["a"][0].id != 7 || got.More["a"][1] != nil {
		t.Errorf("got %+v", got)
	}
	if in := got.Any.([]any); in[0].(*queue[int]).id != 7 || in[1].(*queue[int]) != nil {
		t.Errorf("got %+v inside an any", in)
	}
	if len(s.handles) != 4 {
		t.Errorf("exported %d handles, want 4", len(s.handles))
	}

	p := plan[args](t)
	if !p.HasHandles() || !p.HasAny() || plan[any](t).HasHandles() || plan[order](t).HasAny() {
		t.Error("HasHandles or HasAny is wrong")
	}
	const want = "codec_test.args: mentions shared objects, which this message cannot carry"
	if _, err := p.Append(nil, new(args), nil); err == nil || err.Error() != want {
		t.Errorf("Append without a session: %v", err)
	}
	if err := p.Decode([]byte{0xf6}, new(args), nil); err == nil || err.Error() != want {
		t.Errorf("Decode without a session: %v", err)
	}
	var hides any = []any{q}
	if _, err := plan[any](t).Append(nil, &hides, nil); err == nil || err.Error() != "interface {}[0](*codec_test.queue[int]): this message cannot carry shared objects" {
		t.Errorf("Append of a hidden handle without a session: %v", err)
	}
}

// A struct that embeds a handle looks like one, by the promoted method.
func TestEmbeddedHandle(t *testing.T) {
	type embeds struct {
		Handle *queue[int]
		Name   string
	}
	got := travel(t, &embeds{&queue[int]{3}, "n"}, new(table))
	if got.Handle.id != 3 || got.Name != "n" {
		t.Errorf("got %+v", got)
	}
	p, err := codec.Of(reflect.TypeFor[*embedsHandle]())
	const want = "*codec_test.embedsHandle.queue: an unexported field cannot travel to another process; export the field queue, or give codec_test.embedsHandle the methods MarshalBinary and UnmarshalBinary"
	if err == nil || err.Error() != want {
		t.Errorf("plan %v, error %v", p, err)
	}
}

// A failing session's error arrives, with the path and its identity.
func TestSessionErrors(t *testing.T) {
	type args struct{ Q []*queue[int] }
	s := new(table)
	p := plan[args](t)
	b, err := p.Append(nil, &args{[]*queue[int]{{1}}}, s)
	if err != nil {
		t.Fatal(err)
	}
	s.fail = errSession
	for _, err := range []error{
		second(p.Append(nil, &args{[]*queue[int]{{1}}}, s)),
		p.Decode(b, new(args), s),
	} {
		if err == nil || err.Error() != "codec_test.args.Q[0]: the session is over" {
			t.Errorf("got %v", err)
		}
	}
}
