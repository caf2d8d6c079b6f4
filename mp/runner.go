package mp

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"unsafe"

	"multiproc/internal/codec"
	"multiproc/mp/executor"
)

// runner calls a task's function for an executor.
type runner[A, R any] struct {
	t *Task[A, R]
	f func(context.Context, A) (R, error)
}

func newRunner[A, R any](t *Task[A, R], f func(context.Context, A) (R, error)) *runner[A, R] {
	registerBox[A](t.args.Plan)
	registerBox[R](t.result.Plan)
	return &runner[A, R]{t, f}
}

// boxed is a value that may have handles in it, on its way through an any.
type boxed[T any] struct{ V T }

// registerBox gives boxed[T] a name if it is needed: one that no type of a
// program has.
func registerBox[T any](p *codec.Plan) {
	if !p.HasHandles() && !p.HasAny() {
		return
	}
	t := reflect.TypeFor[boxed[T]]()
	sum := sha256.Sum256([]byte(t.PkgPath() + "." + t.Name()))
	codec.RegisterType(t, fmt.Sprintf("mp/boxed.x%x", sum[:12]))
}

// mustBox reports whether values of a type go boxed always, and not only if they
// turn out to have handles in them.
func mustBox(p *codec.Plan) bool { return p.HasHandles() }

func argSize(p *codec.Plan) int {
	if p.Raw() {
		return int(p.Size())
	}
	return -1
}

// ArgSize implements executor.Runner.
func (r *runner[A, R]) ArgSize() int { return argSize(r.t.args.Plan) }

// Call implements executor.Runner.
func (r *runner[A, R]) Call(ctx context.Context, arg, b []byte) ([]byte, any) {
	var args A
	if err := r.t.args.Decode(arg, &args, nil); err != nil {
		return executor.AppendFailure(b, fmt.Errorf("decode arguments: %w", err)), nil
	}
	return r.call(ctx, args, b)
}

// CallAll implements executor.Runner. Numbers, and all that is memory without
// pointers, go in and out by plain copies: some 6 ns for an item, and f.
func (r *runner[A, R]) CallAll(ctx context.Context, args, b []byte, p *executor.Progress) (record []byte, value any) {
	size := int(unsafe.Sizeof(*new(A)))
	step := executor.Head + int(unsafe.Sizeof(*new(R)))
	if !r.t.result.Raw() || size == 0 || step == executor.Head {
		for ; len(args) > 0; args = args[size:] {
			p.Begin(1)
			record, value = r.Call(ctx, args[:size], b[:0])
			if value != nil || len(record) > len(b) || executor.IsFailure(record) {
				return record, value
			}
			p.End(len(record))
			b = b[len(record):]
		}
		return nil, nil
	}
	n := min(len(args)/size, len(b)/step)
	if n == 0 {
		p.Begin(1)
		return r.Call(ctx, args[:size], nil)
	}
	p.Begin(n)
	at, returned := p.Point(), false
	defer func() {
		p.Reach(at)
		if !returned {
			if v := recover(); v != nil { // nil: the goroutine ends
				record = r.panicked(nil, v)
			}
		}
	}()
	in, out, f := unsafe.Pointer(unsafe.SliceData(args)), unsafe.Pointer(unsafe.SliceData(b)), r.f
	for i := range n {
		result, err := f(ctx, *(*A)(unsafe.Add(in, i*size)))
		if err != nil {
			returned = true
			return executor.AppendFailure(nil, err), nil
		}
		slot := unsafe.Add(out, i*step)
		executor.PutHead((*[executor.Head]byte)(slot)[:], step-executor.Head)
		*(*R)(unsafe.Add(slot, executor.Head)) = result
		at = p.EndAt(at, step)
	}
	returned = true
	return nil, nil
}

// Describe implements executor.Runner.
func (r *runner[A, R]) Describe(arg []byte) string {
	var args A
	if len(arg) > tooLong {
		return fmt.Sprintf("%T, %d bytes", args, len(arg))
	}
	if err := r.t.args.Decode(arg, &args, nil); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%+v", args)
}

// tooLong is the size of arguments that are not written out for people.
const tooLong = 1 << 10

// DescribeValue implements executor.Runner.
func (r *runner[A, R]) DescribeValue(arg any) string {
	box, _ := arg.(boxed[A])
	return fmt.Sprintf("%+v", box.V)
}

// CallValue implements executor.Runner.
func (r *runner[A, R]) CallValue(ctx context.Context, arg any, b []byte) ([]byte, any) {
	box, ok := arg.(boxed[A])
	if !ok {
		return executor.AppendFailure(b, fmt.Errorf("arguments of type %T: %w", arg, ErrCorrupt)), nil
	}
	return r.call(ctx, box.V, b)
}

func (r *runner[A, R]) call(ctx context.Context, args A, b []byte) (record []byte, value any) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil { // nil: the goroutine ends
			record = r.panicked(b, v)
		}
	}()
	result, err := r.f(ctx, args)
	returned = true
	if err != nil {
		return executor.AppendFailure(b, err), nil
	}
	if mustBox(r.t.result.Plan) {
		return b, boxed[R]{result}
	}
	out, err := r.t.result.Append(append(b, 0, 0, 0, 0, 0, 0, 0, 0), &result, nil)
	if err == nil {
		return executor.Seal(out, len(b)), nil
	}
	if errors.Is(err, codec.ErrNoSession) {
		return b, boxed[R]{result}
	}
	return executor.AppendFailure(b, fmt.Errorf("encode result: %w", err)), nil
}

// panicked appends the record of a panic, and prints it as the runtime does.
func (r *runner[A, R]) panicked(b []byte, v any) []byte {
	fmt.Fprintf(os.Stderr, "%s (%s, pid %d): panic: %v\n\n%s\n", Self().Name, r.t.name, os.Getpid(), v, debug.Stack())
	return executor.AppendPanic(b, v)
}

// argument is the argument of an item on its way to an executor.
type argument[A any] struct {
	c *codec.Typed[A]
	v A
}

// Append implements executor.Argument.
func (a *argument[A]) Append(b []byte) ([]byte, error) {
	if mustBox(a.c.Plan) {
		return b, executor.ErrHandles
	}
	out, err := a.c.Append(b, &a.v, nil)
	if err != nil && errors.Is(err, codec.ErrNoSession) {
		return b, executor.ErrHandles
	}
	return out, err
}

// Value implements executor.Argument.
func (a *argument[A]) Value() any { return boxed[A]{a.v} }

// Any implements executor.Argument.
func (a *argument[A]) Any() any { return a.v }
