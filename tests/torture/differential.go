//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/big"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"multiproc/mp"
)

// draw is one call of a random sequence: a method, and what its arguments are made of.
type draw struct{ method, a, b, c int }

// asked is what the same calls are made to: an object in a place, or the model.
type asked struct {
	do     func(ctx context.Context, d draw) (any, error)
	close  func() error
	handle any // for other processes
}

// kindred is a kind of object of which several places, and a model, must tell the same.
type kindred struct {
	name    string
	methods []string
	often   []int // a method for each ticket in the draw
	model   func() asked
	open    func(where ...mp.Option) (asked, error)
	adopt   func(handle any) asked // what asks an object of which another process has sent the handle
	memory  bool                   // it lives there
	manager bool
}

// method is a method of objects O, with what the model M says to the same call. What it
// returns is compared unless there is an error: then that is. often is 1 unless it is given.
type method[O, M any] struct {
	name  string
	often int
	real  func(ctx context.Context, o O, d draw) (any, error)
	want  func(m M, d draw) (any, error)
}

// alike makes a kind of it. The first method shows all that is there; it ends a sequence.
func alike[O io.Closer, M any](name string, open func(...mp.Option) (O, error), fresh func() M, methods []method[O, M]) *kindred {
	whole := func(o O) O { return o }
	return with(name, open, whole, whole, fresh, methods)
}

// with is alike for what is more than a handle: bare is that of it, clad is it anew.
func with[O io.Closer, M, H any](name string, open func(...mp.Option) (O, error), bare func(O) H, clad func(H) O,
	fresh func() M, methods []method[O, M],
) *kindred {
	register[H]()
	k := &kindred{name: name, memory: true, manager: true}
	for i, m := range methods {
		k.methods = append(k.methods, m.name)
		for range max(1, m.often) {
			k.often = append(k.often, i)
		}
	}
	ask := func(o O) asked {
		return asked{func(ctx context.Context, d draw) (any, error) { return methods[d.method].real(ctx, o, d) }, o.Close, bare(o)}
	}
	k.open = func(where ...mp.Option) (asked, error) {
		o, err := open(where...)
		if err != nil {
			return asked{}, err
		}
		return ask(o), nil
	}
	k.adopt = func(handle any) asked {
		h, _ := handle.(H)
		return ask(clad(h))
	}
	k.model = func() asked {
		m := fresh()
		return asked{func(_ context.Context, d draw) (any, error) { return methods[d.method].want(m, d) }, nil, nil}
	}
	return k
}

// in says where objects of a kind live, if that is not everywhere.
func (k *kindred) in(memory, manager bool) *kindred {
	k.memory, k.manager = memory, manager
	return k
}

const (
	sequence = 120              // calls
	answered = 20 * time.Second // by then a call must be
)

// differential is a check for each kind of object.
func differential(e *env) (list []*check, err error) {
	where, err := e.places()
	if err != nil {
		return nil, err
	}
	for _, k := range kinds {
		var at []place
		if k.lives() {
			at = append(at, where[0])
		}
		if k.manager {
			at = append(at, where[1])
		}
		list = append(list, &check{object: k.name, round: func(ctx context.Context, seed uint64, sum *tally) error {
			return k.compare(ctx, at, seed, sum)
		}})
	}
	return list, nil
}

// kinds are all kinds of objects. Their handles are registered, so that is before Init.
var kinds = slices.Concat(dicts(), lists(), cells(), queues(), locks(), meetings())

var registered = map[reflect.Type]bool{}

// register lets handles of a type travel in an any; several kinds have the same.
func register[H any]() {
	if t := reflect.TypeFor[H](); !registered[t] {
		registered[t] = true
		mp.RegisterType[H]()
	}
}

// lives reports whether such objects can be made in memory.
func (k *kindred) lives() bool {
	if !k.memory {
		return false
	}
	o, err := k.open()
	if err != nil {
		return false
	}
	return o.close() == nil
}

// draw draws a call.
func (k *kindred) draw(rnd *rand.Rand) draw {
	return draw{k.often[rnd.IntN(len(k.often))], rnd.IntN(64), rnd.IntN(64), rnd.IntN(64)}
}

// compare plays one random sequence everywhere. If the answers differ, it prints the
// shortest one that it finds of which they do, by leaving out calls.
func (k *kindred) compare(ctx context.Context, at []place, seed uint64, sum *tally) error {
	rnd := rand.New(rand.NewPCG(seed, 1))
	var calls []draw
	for range sequence {
		calls = append(calls, k.draw(rnd))
	}
	calls = append(calls, draw{})
	n, _, err := k.play(ctx, at, calls)
	sum.calls += n * (1 + len(at))
	if err != nil || n == len(calls) {
		return err
	}
	calls = calls[:n+1]
	for i := len(calls) - 2; i >= 0; i-- {
		shorter := append(append([]draw{}, calls[:i]...), calls[i+1:]...)
		if n, _, err := k.play(ctx, at, shorter); err == nil && n < len(shorter) {
			calls = shorter[:n+1]
			i = min(i, len(calls)-1)
		}
	}
	_, answers, err := k.play(ctx, at, calls)
	if err != nil {
		return err
	}
	for i, d := range calls {
		log.Printf("%3d %s(%d, %d, %d) = %s", i, k.methods[d.method], d.a, d.b, d.c, answers[i])
	}
	return fmt.Errorf("%s: the answers to the last of these calls differ", k.name)
}

// play makes calls everywhere until the answers differ, and returns how many were alike.
// After that come the answers of all, or of the model as long as they are alike.
func (k *kindred) play(ctx context.Context, at []place, calls []draw) (n int, answers []string, err error) {
	model := k.model()
	var objects []asked
	defer func() {
		for _, o := range objects {
			err = errors.Join(err, o.close())
		}
	}()
	for _, p := range at {
		o, err := k.open(p.options...)
		if err != nil {
			return 0, nil, err
		}
		objects = append(objects, o)
	}
	ctx, cancel := context.WithTimeout(ctx, answered)
	defer cancel()
	for i, d := range calls {
		want := said(model.do(ctx, d))
		all, differ := want+" by the model", false
		for j, o := range objects {
			got := said(o.do(ctx, d))
			all += ", " + got + " in " + at[j].name
			differ = differ || got != want
		}
		if differ {
			return i, append(answers, all), nil
		}
		answers = append(answers, want)
	}
	return len(calls), answers, nil
}

// The errors that programs branch on; others are compared by their text, and no model
// knows those.
var conditions = []struct {
	name string
	is   error
}{
	{"ErrFull", mp.ErrFull},
	{"ErrEmpty", mp.ErrEmpty},
	{"ErrClosed", mp.ErrClosed},
	{"ErrTooLarge", mp.ErrTooLarge},
	{"ErrType", mp.ErrType},
	{"ErrTaskDone", mp.ErrTaskDone},
	{"ErrLeaseLost", mp.ErrLeaseLost},
	{"ErrNoKey", mp.ErrNoKey},
	{"ErrIndex", mp.ErrIndex},
	{"ErrNoValue", mp.ErrNoValue},
	{"ErrValue", mp.ErrValue},
	{"ErrNotHeld", mp.ErrNotHeld},
	{"ErrBroken", mp.ErrBroken},
	{"io.EOF", io.EOF},
	{"context.Canceled", context.Canceled},
	{"os.ErrInvalid", os.ErrInvalid},
	{"fs.ErrExist", fs.ErrExist},
	{"errors.ErrUnsupported", errors.ErrUnsupported},
}

// said is an answer as a text that is the same for the same answer.
func said(v any, err error) string {
	if err == nil {
		return shown(v)
	}
	for _, c := range conditions {
		if errors.Is(err, c.is) {
			return c.name
		}
	}
	return "error: " + err.Error()
}

// shown is a value with its type, where that is not clear: what an int is, a place says.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		if len(v) > 20 {
			return fmt.Sprintf("%.20q… of %d", v, len(v))
		}
		return fmt.Sprintf("%q", v)
	case float64, float32:
		return fmt.Sprintf("float %v", v)
	case *big.Int:
		return v.String()
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, shown(e))
		}
		return "[" + strings.Join(all, " ") + "]"
	default:
		return fmt.Sprint(v)
	}
}
