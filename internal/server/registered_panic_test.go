package server

import (
	"runtime"
	"strings"
	"testing"

	"multiproc/internal/frames"
	"multiproc/internal/pickle"
	"multiproc/internal/pyvalue"
	"multiproc/internal/registry"
	"multiproc/internal/store"
)

// touchy cannot be read, nor written.
type touchy struct{ text string }

func (touchy) MarshalText() ([]byte, error)  { panic("a marshaler went wrong") }
func (*touchy) UnmarshalText(b []byte) error { panic("an unmarshaler went wrong") }
func (c *counter) Take(touchy) int           { return 0 }
func (c *counter) Give() touchy              { return touchy{"x"} }
func (c *counter) GiveAll() (touchy, touchy) { return touchy{"x"}, touchy{"y"} }
func newTouched(touchy) *counter             { return &counter{} }
func newSlow() *counter                      { slow <- struct{}{}; <-slow; return &counter{} }

var slow = make(chan struct{})

// A constructor that ends its goroutine is an error of its call, in Go and in
// Python.
func TestConstructorExits(t *testing.T) {
	s := serveTest(t, "unix")
	p := s.goPeer(t)
	p.fails(p.begin(0, "open", frames.NoTimeout, "test.Exits", nil, listOf()), "RuntimeError", "")
	p.fails(p.begin(0, "create", frames.NoTimeout, "test.Exits", listOf()), "RuntimeError", "")
	p.call(0, "ping")
	c := s.join(t)
	send(t, c, nil, "create", pyvalue.Tuple{"test.Exits"})
	b, err := c.ReadFrame(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	v, err := pickle.Decode(b, pickle.Options{})
	if err != nil || v.(pyvalue.Tuple)[0] != pyvalue.Value(kindTraceback) {
		t.Errorf("%s, %v", pyvalue.Repr(v), err)
	}
}

// So is a function that does it, and its pool goes on.
func TestFunctionExits(t *testing.T) {
	s := serveTest(t, "unix")
	c := s.rawChannel(t)
	pool := s.goPeer(t).open("Pool", "p", int64(1))
	for range 2 {
		send(t, c, store.Ident(pool), "apply", pyvalue.Tuple{pyvalue.Global{Module: "test", Name: "exits"}})
		b, err := c.ReadFrame(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		v, err := pickle.Decode(b, pickle.Options{})
		if err != nil || v.(pyvalue.Tuple)[0] != pyvalue.Value(kindError) || !strings.Contains(pyvalue.Repr(v), "RuntimeError") {
			t.Fatalf("%s, %v", pyvalue.Repr(v), err)
		}
	}
}

func init() {
	registry.RegisterFunc("here", "test.exits", func() { runtime.Goexit() })
	registry.Register("here", "test.Exits", func() *counter { runtime.Goexit(); return nil })
	registry.Register("here", "test.Touched", newTouched)
	registry.Register("here", "test.Slow", newSlow)
}

// Code of the program that panics while a value is read or written harms only
// the call.
func TestRegisteredMarshalersPanic(t *testing.T) {
	s := serveTest(t, "unix")
	p := s.goPeer(t)
	id := p.open("test.Counter", "", int64(0))
	for _, method := range []string{"Give", "GiveAll"} {
		p.fails(p.begin(id, method, frames.NoTimeout), "RuntimeError", "")
	}
	p.fails(p.begin(id, "Take", frames.NoTimeout, "x"), "RuntimeError", "")
	p.fails(p.begin(0, "open", frames.NoTimeout, "test.Touched", nil, listOf("x")), "RuntimeError", "")
	p.call(0, "ping")
}

// A client may give up while an object is made for it by the program's code.
func TestGoCancelsConstructor(t *testing.T) {
	s := serveTest(t, "unix")
	p := s.goPeer(t)
	seq := p.begin(0, "open", frames.NoTimeout, "test.Slow", nil, listOf())
	<-slow
	p.write(frames.AppendCancel(nil, seq))
	p.call(0, "ping")
	slow <- struct{}{}
	if f := p.read(); f.Kind != frames.Return || f.Seq != seq {
		t.Errorf("%v %d: %s", f.Kind, f.Seq, f.Class)
	}
}
