package server

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"runtime"
	"strings"
	"sync"
	"testing"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/internal/registry"
	"multiproc/mptest"
)

// counter is a type of the program.
type counter struct {
	mu sync.Mutex
	n  int
}

// Add returns the sum.
func (c *counter) Add(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
	return c.n
}

// Sum takes any number of arguments.
func (c *counter) Sum(all ...int) (sum int) {
	for _, n := range all {
		sum += n
	}
	return sum
}

// Divmod has two results.
func (c *counter) Divmod(a, b int) (quotient, rest int, err error) { return a / b, a % b, nil }

// Echo returns any value.
func (c *counter) Echo(v any) any { return v }

type record struct {
	Name  string
	Count int
}

// Record takes and returns a struct.
func (c *counter) Record(r record) record { return record{r.Name + "!", r.Count + 1} }

// Nothing returns nothing.
func (c *counter) Nothing() error { return nil }

// Fail fails in one of many ways.
func (c *counter) Fail(how string) error {
	return map[string]error{
		"KeyError":   registry.NewException("KeyError", "KeyError"),
		"ValueError": registry.NewException("builtins.ValueError"),
		"timeout":    context.DeadlineExceeded,
		"file":       fs.ErrNotExist,
		"plain":      errors.New("plain"),
		"empty":      mperr.ErrEmpty,
	}[how]
}

// Panic panics.
func (c *counter) Panic() { panic("something went wrong") }

// Goexit ends its goroutine.
func (c *counter) Goexit() { runtime.Goexit() }

// Wait ends with its caller's context.
func (c *counter) Wait(ctx context.Context) error {
	waits <- struct{}{}
	<-ctx.Done()
	ends <- ctx.Err()
	return ctx.Err()
}

var waits, ends = make(chan struct{}), make(chan error, 1)

func init() {
	registry.Register("here", "test.Counter", func(n int) *counter { return &counter{n: n} })
	shared := &counter{}
	registry.Register("here", "test.Shared", func() *counter { return shared })
	registry.Register("here", "test.Squares", func(n int) iter.Seq[int] {
		return func(yield func(int) bool) {
			for i := range n {
				if !yield(i * i) {
					return
				}
			}
		}
	})
	registry.Register("here", "test.Broken", func() (*counter, error) { panic("a constructor went wrong") })
}

func TestPythonRegistered(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, python, kind string) {
		s := serveTest(t, kind)
		p := s.python(t, python, "registered")
		p.Want("ok")
		p.Ended()
		mptest.Eventually(t, func() bool { return s.objects() == 0 }, "all objects are gone")
		for _, want := range []string{"something went wrong", "a constructor went wrong", "registered_test.go:"} {
			if !strings.Contains(s.log.String(), want) {
				t.Errorf("the log does not tell of %q", want)
			}
		}
	})
}

// The context of a method ends when its caller cancels, and when it dies.
func TestRegisteredContext(t *testing.T) {
	s := serveTest(t, "unix")
	p := s.goPeer(t)
	id := p.open("test.Counter", "", int64(0))
	seq := p.begin(id, "Wait", frames.NoTimeout)
	<-waits
	p.write(frames.AppendCancel(nil, seq))
	if err := <-ends; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	p.fails(seq, errorClass(context.Canceled), "context.Canceled")
	p.begin(id, "Wait", 1)
	<-waits
	if err := <-ends; !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	p.begin(id, "Wait", frames.NoTimeout)
	<-waits
	_ = p.c.Close()
	<-ends

	m := s.member(t)
	named := m.open("test.Counter", "c", int64(0))
	dying := s.python(t, pyconntest.Pythons(t)[0], "dying", "Any.wait", "c")
	dying.Want("waits")
	<-waits
	dying.Kill()
	<-ends
	m.want(int64(1), named, "add", int64(1))
}
