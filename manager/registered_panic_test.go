package manager

import (
	"testing"

	"multiproc/internal/frames"
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

func init() {
	Register("test.Touched", newTouched)
	Register("test.Slow", newSlow)
}

// Code of the program that panics while a value is read or written harms only
// the call.
func TestRegisteredMarshalersPanic(t *testing.T) {
	s := serveTest(t, "unix")
	p := s.goPeer(t)
	id := p.open("test.Counter", "", int64(0))
	for _, method := range []string{"Give", "GiveAll"} {
		p.fails(p.begin(id, method, frames.NoPatience), "RuntimeError", "")
	}
	p.fails(p.begin(id, "Take", frames.NoPatience, "x"), "RuntimeError", "")
	p.fails(p.begin(0, "open", frames.NoPatience, "test.Touched", nil, listOf("x")), "RuntimeError", "")
	p.call(0, "ping")
}

// A client may give up while an object is made for it by the program's code.
func TestGoCancelsConstructor(t *testing.T) {
	s := serveTest(t, "unix")
	p := s.goPeer(t)
	seq := p.begin(0, "open", frames.NoPatience, "test.Slow", nil, listOf())
	<-slow
	p.write(frames.AppendCancel(nil, seq))
	p.call(0, "ping")
	slow <- struct{}{}
	if f := p.read(); f.Kind != frames.Return || f.Seq != seq {
		t.Errorf("%v %d: %s", f.Kind, f.Seq, f.Class)
	}
}
