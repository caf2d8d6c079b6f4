package mp

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"

	"multiproc/internal/codec"
	"multiproc/mp/executor"
)

// None is the type of what is not there: the result of a Proc, and the dead
// direction of a one-way pipe.
type None struct{}

// Task is a function that can run in a process of its own. Make tasks in
// package-level variables, so that parent and child register the same ones
// before Init runs. A Task may be started any number of times, also from
// several goroutines and from tasks.
type Task[A, R any] struct {
	name   string
	args   *codec.Typed[A]
	result *codec.Typed[R]

	options StartOptions // see With
}

// TaskOption changes how a task is registered.
type TaskOption func(*taskOptions)

type taskOptions struct{ name string }

// Named gives a task a name of its own choice instead of the function's
// symbol: for function literals, and for names that must not change.
func Named(name string) TaskOption { return func(o *taskOptions) { o.name = name } }

// Func registers f as a task. It panics, with a sentence that says what to do,
// if f has no name of its own (a literal, a closure, a method value), if the
// name is taken, or if A or R cannot travel between processes; all of that
// shows when the program starts, in every process alike.
//
// A and R may hold handles and open files anywhere; see the package comment.
//
// f's context ends when the process is cancelled or its starter is gone.
//
// A task that starts itself, or two that start each other, would make Go
// report an "initialization cycle": declare the variable first and assign it
// in a func init().
func Func[A, R any](f func(context.Context, A) (R, error), opts ...TaskOption) *Task[A, R] {
	t := &Task[A, R]{name: taskName[A, R](f, opts)}
	var err error
	if t.args, err = codec.For[A](); err != nil {
		panic(fmt.Sprintf("mp: task %s: argument %v", t.name, err))
	}
	if t.result, err = codec.For[R](); err != nil {
		panic(fmt.Sprintf("mp: task %s: result %v", t.name, err))
	}
	register(t.name, func(ctx context.Context, raw []byte, in *arrival, out *export) ([]byte, error) {
		args := new(A)
		if err := t.args.Decode(raw, args, in); err != nil {
			return nil, fmt.Errorf("decode arguments: %w", err)
		}
		result, err := f(ctx, *args)
		if err != nil {
			return nil, err
		}
		b, err := t.result.Append(nil, &result, out)
		if err != nil {
			return nil, fmt.Errorf("encode result: %w", err)
		}
		return b, nil
	})
	executor.Register(t.name, newRunner(t, f))
	return t
}

// Proc registers a function without a result as a task; see Func.
func Proc[A any](f func(context.Context, A) error, opts ...TaskOption) *Task[A, None] {
	o := collect(opts)
	if o.name == "" {
		o.name = symbol(f, reflect.TypeFor[A]())
	}
	return Func(func(ctx context.Context, args A) (None, error) { return None{}, f(ctx, args) }, Named(o.name))
}

// Name is the name under which the task is registered.
func (t *Task[A, R]) Name() string { return t.name }

// String is the task's name.
func (t *Task[A, R]) String() string { return t.name }

// short is the last part of the name, for process names.
func (t *Task[A, R]) short() string {
	name, _, _ := strings.Cut(t.name, "[")
	name = name[strings.LastIndexByte(name, '/')+1:]
	return name[strings.LastIndexByte(name, '.')+1:]
}

// body runs a task in the child: it decodes the arguments, calls the
// function and encodes the result.
type body func(ctx context.Context, raw []byte, in *arrival, out *export) ([]byte, error)

var tasks = struct {
	sync.Mutex
	m      map[string]registration
	closed bool
}{m: map[string]registration{}}

type registration struct {
	run   body
	where string
}

// register adds a task. After Init it panics: a child that reaches Init looks
// its task up there, and would not find one that is registered later.
func register(name string, run body) {
	where := caller()
	tasks.Lock()
	defer tasks.Unlock()
	if tasks.closed {
		panic(fmt.Sprintf("mp: task %s is registered at %s, after Init: make it in a package-level variable", name, where))
	}
	if old, ok := tasks.m[name]; ok {
		panic(fmt.Sprintf("mp: two tasks have the name %s: at %s and at %s; give one of them mp.Named", name, old.where, where))
	}
	tasks.m[name] = registration{run, where}
}

func lookup(name string) (body, bool) {
	tasks.Lock()
	defer tasks.Unlock()
	r, ok := tasks.m[name]
	return r.run, ok
}

// caller is the place in the user's code that called Func or Proc.
func caller() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "multiproc/mp.") {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}

func collect(opts []TaskOption) (o taskOptions) {
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

func taskName[A, R any](f func(context.Context, A) (R, error), opts []TaskOption) string {
	if o := collect(opts); o.name != "" {
		return o.name
	}
	return symbol(f, reflect.TypeFor[A](), reflect.TypeFor[R]())
}

// symbol is the linker's name of f. Names that the compiler makes up change
// with compiler flags and with unrelated edits, so they are refused.
func symbol(f any, args ...reflect.Type) string {
	v := reflect.ValueOf(f)
	if v.IsNil() {
		panic(fmt.Sprintf("mp: the task at %s has no function", caller()))
	}
	name := runtime.FuncForPC(v.Pointer()).Name()
	refuse := func(what string) {
		panic(fmt.Sprintf("mp: the task at %s is %s (%s), whose name may change from build to build: "+
			"use a function declared at package level, or mp.Named", caller(), what, name))
	}
	switch {
	case strings.HasSuffix(name, "-fm"):
		refuse("a method value, which would also lose its receiver")
	case !declared(name):
		refuse("a function literal")
	case strings.Contains(name, "[...]"):
		// Every instance of a generic function has this one name.
		name = strings.Replace(name, "[...]", fmt.Sprint(args), 1)
	}
	return name
}

// declared reports whether a symbol is that of a function declared at package
// level: the path of its package, a dot, and its identifier (dots in the path's
// last element are escaped). A literal has the name of what is around it, a
// function, init or glob., between the two.
func declared(symbol string) bool {
	_, own, _ := strings.Cut(symbol[strings.LastIndexByte(symbol, '/')+1:], ".")
	return !strings.Contains(strings.TrimSuffix(own, "[...]"), ".")
}
