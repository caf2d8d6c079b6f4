package registry

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"multiproc/internal/codec"
	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// callable is a function of the program that clients may call: a constructor,
// a method, a function.
type callable struct {
	name     string
	params   []string // by which Python may name arguments; nil: it may not
	f        reflect.Value
	in       []reflect.Type // without receiver and context; the last is an element's if variadic
	out      []reflect.Type // without error
	receiver bool
	ctx      bool
	variadic bool
	fails    bool
}

// newCallable examines a function.
func newCallable(name string, f reflect.Value) (*callable, error) {
	if f.Kind() != reflect.Func || f.IsNil() {
		return nil, fmt.Errorf("%s: want a function", name)
	}
	c := &callable{name: name, f: f}
	return c, c.examine(0)
}

// newMethod examines a method of t, which may be an interface.
func newMethod(t reflect.Type, m reflect.Method) (*callable, error) {
	c := &callable{name: m.Name, receiver: true}
	if t.Kind() == reflect.Interface {
		c.f = reflect.MakeFunc(withReceiver(t, m.Type), func(args []reflect.Value) []reflect.Value {
			method := args[0].MethodByName(m.Name)
			if m.Type.IsVariadic() {
				return method.CallSlice(args[1:])
			}
			return method.Call(args[1:])
		})
	} else {
		c.f = m.Func
	}
	return c, c.examine(1)
}

// withReceiver is the type of a method of an interface as a function.
func withReceiver(t, method reflect.Type) reflect.Type {
	in := []reflect.Type{t}
	for p := range method.Ins() {
		in = append(in, p)
	}
	var out []reflect.Type
	for r := range method.Outs() {
		out = append(out, r)
	}
	return reflect.FuncOf(in, out, method.IsVariadic())
}

// examine looks at the parameters from number first on, and at the results.
func (c *callable) examine(first int) error {
	t := c.f.Type()
	if first < t.NumIn() && t.In(first) == contextType {
		c.ctx = true
		first++
	}
	c.variadic = t.IsVariadic()
	for i := first; i < t.NumIn(); i++ {
		p := t.In(i)
		if c.variadic && i == t.NumIn()-1 {
			p = p.Elem()
		}
		plan, err := interchange.OfType(p)
		if err == nil && plan.HasHandles() {
			err = fmt.Errorf("a %v cannot be passed to the server's program; take the object's name, and open it there by mp.WithName", p)
		}
		if err != nil {
			return fmt.Errorf("%s, argument %d: %w", c.name, i-first+1, err)
		}
		c.in = append(c.in, p)
	}
	for i := range t.NumOut() {
		r := t.Out(i)
		if r == errorType && i == t.NumOut()-1 {
			c.fails = true
			continue
		}
		c.out = append(c.out, r)
	}
	if c.name == "constructor" { // what it makes stays here
		return nil
	}
	for i, r := range c.out {
		if isSeq(r) && len(c.out) == 1 {
			continue
		}
		if _, err := interchange.OfType(r); err != nil {
			return fmt.Errorf("%s, result %d: %w", c.name, i+1, err)
		}
	}
	return nil
}

// panicked is a panic of the program's code.
type panicked struct {
	name  string
	value any
	stack []byte
}

// Panicked makes an error of a panic of the program's code in what has that name:
// see Program.Told. It is called while the panic is recovered.
func Panicked(name string, value any) error { return &panicked{name, value, debug.Stack()} }

func (p *panicked) Error() string { return fmt.Sprintf("panic in %s: %v", p.name, p.value) }

// call calls the function. receiver is invalid unless it is a method.
func (c *callable) call(ctx context.Context, receiver reflect.Value, args store.Args) (out []reflect.Value, err error) {
	err = guarded(c.name, func() error {
		in, err := c.arguments(ctx, receiver, args) // may run the program's UnmarshalText
		if err != nil {
			return err
		}
		out = c.f.Call(in)
		return nil
	})
	if err != nil || !c.fails {
		return out, err
	}
	last := len(out) - 1
	if err, _ := out[last].Interface().(error); err != nil {
		return nil, err
	}
	return out[:last], nil
}

// guarded runs the program's code. A panic in it is an error of type panicked.
func guarded(name string, f func() error) (err error) {
	returned := false
	defer func() {
		if !returned {
			value := recover()
			if value == nil {
				value = "runtime.Goexit was called"
			}
			err = &panicked{name, value, debug.Stack()}
		}
	}()
	err = f()
	returned = true
	return err
}

// apart runs the program's code on a goroutine of its own, and waits: the code
// may end that, and somebody waits for an answer.
func apart(name string, f func() error) error {
	var err error = &panicked{name: name, value: "runtime.Goexit was called"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = f()
	}()
	<-done
	return err
}

func (c *callable) arguments(ctx context.Context, receiver reflect.Value, args store.Args) ([]reflect.Value, error) {
	pos, err := c.positions(args)
	if err != nil {
		return nil, err
	}
	least := len(c.in)
	if c.variadic {
		least--
	}
	if n := len(pos); n < least || n > least && !c.variadic {
		return nil, misuse("%s() takes %s but %d %s given", c.name, c.want(least), n, plural(n, "was", "were"))
	}
	var in []reflect.Value
	if c.receiver {
		in = append(in, receiver)
	}
	if c.ctx {
		in = append(in, reflect.ValueOf(ctx))
	}
	for i, arg := range pos {
		into := reflect.New(c.in[min(i, len(c.in)-1)])
		if err := interchange.FromValue(arg.Value(), into.Interface(), nil); err != nil {
			return nil, pyvalue.TypeError(fmt.Sprintf("%s(), argument %d: %v", c.name, i+1, err))
		}
		in = append(in, into.Elem())
	}
	return in, nil
}

// misuse is the TypeError of a call that no values would make right: it wraps
// no sentinel, for mp.ErrType is about values.
func misuse(format string, args ...any) error {
	return &pyvalue.Exception{Class: pyvalue.Global{Module: "builtins", Name: "TypeError"}, Args: pyvalue.Tuple{fmt.Sprintf(format, args...)}}
}

// setParams names the parameters. A variadic one may have several names, for
// the arguments that Python's function would have there.
func (c *callable) setParams(names []string) error {
	if n := len(names); n > 0 && (n < len(c.in) || n > len(c.in) && !c.variadic) {
		return fmt.Errorf("%d names for %d parameters", n, len(c.in))
	}
	c.params = names
	return nil
}

// positions puts arguments that a Python client named where their parameters
// stand.
func (c *callable) positions(args store.Args) ([]store.Item, error) {
	pos := args.Pos
	if len(args.Named) == 0 {
		return pos, nil
	}
	if c.params == nil {
		return nil, misuse("%s() takes no keyword arguments: it is a Go function", c.name)
	}
	for name := range args.Named {
		switch i := slices.Index(c.params, name); {
		case i < 0:
			return nil, misuse("%s() got an unexpected keyword argument '%s'", c.name, name)
		case i < len(args.Pos):
			return nil, misuse("%s() got multiple values for argument '%s'", c.name, name)
		}
	}
	pos = slices.Clone(pos)
	for found := 0; found < len(args.Named); {
		name := c.params[len(pos)]
		v, ok := args.Named[name]
		if !ok {
			return nil, misuse("%s() needs the argument '%s', for it is a Go function", c.name, name)
		}
		pos = append(pos, v)
		found++
	}
	return pos, nil
}

func (c *callable) want(least int) string {
	most := ""
	if c.variadic {
		most = "at least "
	}
	return fmt.Sprintf("%s%d positional %s", most, least, plural(least, "argument", "arguments"))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// result makes the results of a call of that name into one value. That may run
// the program's MarshalText. A nil handles carries none.
func result(name string, out []reflect.Value, handles codec.Exporter) (it store.Item, err error) {
	err = guarded(name, func() error {
		var all pyvalue.Tuple
		for _, r := range out {
			v, err := interchange.ToValue(r.Interface(), handles)
			if err != nil {
				return fmt.Errorf("the result: %w", err)
			}
			all = append(all, v)
		}
		switch len(all) {
		case 0:
		case 1:
			it = store.Of(all[0])
		default:
			it = store.Of(all)
		}
		return nil
	})
	return it, err
}

// NewException is an error that arrives in Python as an exception: see
// manager.NewException.
func NewException(class string, args ...any) error {
	e := &pyvalue.Exception{Class: pyvalue.Global{Module: "builtins", Name: class}}
	if i := strings.LastIndexByte(class, '.'); i >= 0 {
		e.Class = pyvalue.Global{Module: class[:i], Name: class[i+1:]}
	}
	for _, a := range args {
		v, err := interchange.ToValue(a, nil)
		if err != nil {
			panic(fmt.Sprintf("manager.NewException(%q): %v", class, err))
		}
		e.Args = append(e.Args, v)
	}
	e.Cause = pyvalue.Cause(e.Class)
	return e
}
