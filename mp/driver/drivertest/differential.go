package drivertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

// Differential makes the same calls of objects in all places, and fails where
// one answers differently than the first: with another result, an error of
// another sentinel, other contents afterwards, or other news for a watcher. Objects
// are completed as package mp does it, and methods that one of them lacks even so
// are left out. It
// does so for as many programs as it is told, made from the seeds 0, 1, 2, ….
func Differential(t *testing.T, programs int, places ...driver.Place) {
	t.Helper()
	for seed := range programs {
		if err := Disagree(t.Context(), Program(uint64(seed)), places...); err != nil {
			t.Fatalf("program %d: %v", seed, err)
		}
	}
}

// Program returns the program of a seed.
func Program(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	program := make([]byte, 64+r.IntN(448))
	for i := range program {
		program[i] = byte(r.Uint32())
	}
	program[0] = byte(seed) // each kind in turn
	return program
}

// Disagree carries out a program on a new object in each of the places. Any
// bytes are a program: the first is the kind, and the others are calls. The
// error is the shortest run of calls found after which a place differs from the
// first one; nil if all agree. A kind that a place does not offer is left out.
func Disagree(ctx context.Context, program []byte, places ...driver.Place) error {
	tape := &tape{left: program}
	kind := differentialKinds[tape.pick(len(differentialKinds))]
	tape.theme = themes[tape.pick(len(themes))]
	var calls []call
	for len(tape.left) > 0 && len(calls) < maxCalls {
		calls = append(calls, tape.call(kind))
	}
	n, err := differ(ctx, kind, calls, places)
	if err == nil || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	calls = calls[:n]
	for i := len(calls) - 1; i >= 0; i-- {
		fewer := slices.Delete(slices.Clone(calls), i, i+1)
		if m, e := differ(ctx, kind, fewer, places); e != nil {
			calls, err = fewer[:m], e
			i = min(i, m)
		}
	}
	all := make([]string, len(calls))
	for i := range calls {
		all[i] = "\n  " + calls[i].String()
	}
	return fmt.Errorf("%w\nafter these calls of a new %s:%s", err, kind, strings.Join(all, ""))
}

// maxCalls bounds a program.
const maxCalls = 128

var differentialKinds = []driver.Kind{
	driver.KindDict, driver.KindList, driver.KindSet, driver.KindValue, driver.KindQueue, driver.KindNamespace,
}

// tape is where the choices come from.
type tape struct {
	left  []byte
	theme []pyvalue.Value // of which most values are
}

// pick chooses one of n things; the first one at the end of the tape.
func (t *tape) pick(n int) int {
	if len(t.left) == 0 {
		return 0
	}
	b := t.left[0]
	t.left = t.left[1:]
	return int(b) % n
}

// call is a call of a method with its arguments, of which it takes what it
// needs.
type call struct {
	op       *op
	keys, vs [][]byte // as many of the one as of the other, and one at least
	i        int
	bounds   [3]*int // of a slice
	reverse  bool
}

// String is the call as Python would write its arguments.
func (c call) String() string {
	var b strings.Builder
	b.WriteString(c.op.name)
	for _, k := range c.keys {
		b.WriteString(" key " + show(k))
	}
	for _, v := range c.vs {
		b.WriteString(" " + show(v))
	}
	fmt.Fprintf(&b, " index %d", c.i)
	for i, p := range c.bounds {
		if p != nil {
			fmt.Fprintf(&b, " %s %d", [...]string{"start", "stop", "step"}[i], *p)
		}
	}
	if c.reverse {
		b.WriteString(" reverse")
	}
	return b.String()
}

// show is a value by its repr and its bytes: several have the same repr.
func show(b []byte) string {
	if b == nil {
		return "nothing"
	}
	v, err := interchange.ParseValue(b)
	if err != nil {
		return fmt.Sprintf("% x", b)
	}
	return fmt.Sprintf("%.200s (%x)", pyvalue.ReprWithin(v, 200), b)
}

// op is a method: what a call of it needs, and how it is carried out.
type op struct {
	name string
	run  func(ctx context.Context, s *subject, c *call, r *reply)
	fits func(ctx context.Context, s *subject, c *call) bool // reports whether the call is worth it, and does not wait; nil: always
}

// subject is an object in one of the places, with the version that was read last.
type subject struct {
	driver.Object
	version uint64
	changes func() (text string, err error) // what a watcher was told next; nil: it cannot be watched
}

// reply collects what a call returned.
type reply struct{ parts []string }

func (r *reply) add(err error, results ...any) {
	if err != nil {
		r.parts = append(r.parts, "error "+sentinel(err))
		return
	}
	for _, x := range results {
		switch x := x.(type) {
		case []byte:
			r.parts = append(r.parts, show(x))
		case [][]byte:
			for _, b := range x {
				r.parts = append(r.parts, show(b))
			}
			r.parts = append(r.parts, fmt.Sprintf("%d values", len(x)))
		default:
			r.parts = append(r.parts, fmt.Sprint(x))
		}
	}
}

// sentinel names what programs can ask of an error.
func sentinel(err error) string {
	for _, known := range []error{
		mperr.ErrFull, mperr.ErrEmpty, mperr.ErrClosed, mperr.ErrTooLarge, mperr.ErrCorrupt, mperr.ErrForeign, mperr.ErrType,
		mperr.ErrTaskDone, mperr.ErrLeaseLost, mperr.ErrNoHandle, mperr.ErrNoKey, mperr.ErrIndex, mperr.ErrNoValue, mperr.ErrValue, mperr.ErrLimit,
		mperr.ErrUnknownFate, io.EOF, context.DeadlineExceeded, context.Canceled, errors.ErrUnsupported,
	} {
		if errors.Is(err, known) {
			return fmt.Sprintf("%q", known)
		}
	}
	return "without a sentinel"
}

// differ carries out calls in all places. If one differs from the first, n is
// how many calls it took.
func differ(ctx context.Context, kind driver.Kind, calls []call, places []driver.Place) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	subjects := make([]*subject, len(places))
	for i, p := range places {
		s := spec(kind)
		if kind == driver.KindQueue {
			s.Size = 3
		}
		o, err := p.Open(ctx, s)
		if err != nil {
			return 0, err
		}
		defer func() { _ = o.Close() }()
		o, method, ok := complete.Of(kind, o)
		if !ok {
			return 0, fmt.Errorf("%v has no method %s of a %s", o, method, kind)
		}
		subjects[i] = &subject{Object: o}
		var stop func()
		subjects[i].changes, stop = news(ctx, o)
		defer stop()
	}
	for n := range calls {
		if fits := calls[n].op.fits; fits != nil && !fits(ctx, subjects[0], &calls[n]) || !offered(calls[n].op, subjects) {
			continue
		}
		if err := agree("the last answer", subjects, func(s *subject, r *reply) {
			calls[n].op.run(ctx, s, &calls[n], r)
			contents(ctx, s.Object, r)
		}); err != nil {
			return n + 1, err
		}
	}
	return len(calls), agreeOnNews(ctx, subjects)
}

// offered reports whether all of the subjects have the methods that an op is named
// after.
func offered(op *op, subjects []*subject) bool {
	for _, s := range subjects {
		for _, method := range complete.Lacks(s.Object) {
			if strings.Contains(op.name, method) {
				return false
			}
		}
	}
	return true
}

// agree compares what f finds out about each of the subjects.
func agree(what string, subjects []*subject, f func(*subject, *reply)) error {
	var first reply
	for i, s := range subjects {
		var r reply
		f(s, &r)
		if i == 0 {
			first = r
		} else if !slices.Equal(r.parts, first.parts) {
			return fmt.Errorf("%s differs:\n%v: %s\n%v: %s", what,
				subjects[0].Place(), strings.Join(first.parts, ", "), s.Place(), strings.Join(r.parts, ", "))
		}
	}
	return nil
}

// agreeOnNews compares what watchers were told. The last change ends it.
func agreeOnNews(ctx context.Context, subjects []*subject) error {
	last := []byte("\x68the last") // a text
	for _, s := range subjects {
		var err error
		switch o := s.Object.(type) {
		case complete.Dict:
			err = o.Set(ctx, last, last)
		case complete.List:
			err = o.Append(ctx, last)
		}
		if err != nil {
			return err
		}
	}
	watched := slices.DeleteFunc(slices.Clone(subjects), func(s *subject) bool { return s.changes == nil })
	for more := len(watched) > 0; more; {
		if err := agree("what a watcher was told", watched, func(s *subject, r *reply) {
			text, err := s.changes()
			r.add(err, text)
			more = more && err == nil && !strings.HasSuffix(text, show(last))
		}); err != nil {
			return err
		}
	}
	return nil
}

// news watches an object. next is what happened next; nil if it cannot be watched.
func news(ctx context.Context, o driver.Object) (next func() (string, error), stop func()) {
	switch o := complete.Bare(o).(type) {
	case driver.DictWatcher:
		pull, stop := iter.Pull2(o.Watch(ctx))
		return func() (string, error) {
			c, err, _ := pull()
			return fmt.Sprintf("%s: %s", show(c.Key), show(c.Value)), err
		}, stop
	case driver.ListWatcher:
		pull, stop := iter.Pull2(o.Watch(ctx))
		return func() (string, error) {
			c, err, _ := pull()
			return fmt.Sprintf("%s %d: %s", c.Op, c.Index, show(c.Value)), err
		}, stop
	}
	return nil, func() {}
}

// contents adds all that is in an object.
func contents(ctx context.Context, o driver.Object, r *reply) {
	switch o := o.(type) {
	case complete.Dict:
		keys, vs, next, err := o.Page(ctx, 0, 0)
		r.add(err, "contents", keys, vs, next)
	case complete.List:
		vs, err := o.Slice(ctx, nil, nil, nil)
		r.add(err, "contents", vs)
	case complete.Set:
		vs, next, err := o.Page(ctx, 0, 0)
		r.add(err, "contents", vs, next)
	case complete.Value:
		v, err := o.Get(ctx)
		r.add(err, "contents", v.Value)
	case complete.Queue:
		n, err := o.Len(ctx)
		r.add(err, "contents", n)
	}
}
