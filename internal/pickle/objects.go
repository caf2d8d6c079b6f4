package pickle

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"multiproc/internal/data"
)

// object carries out the opcodes that make objects, as far as to remember how
// they would be made.
func (d *decoder) object(op byte) error {
	switch op {
	case opGlobal:
		return d.global()
	case opStackGlobal:
		return d.stackGlobal()
	case opReduce:
		return d.reduce()
	case opNewObj:
		return d.newObject(false)
	case opNewObjEx:
		return d.newObject(true)
	}
	return d.build()
}

func (d *decoder) global() error {
	module, err := d.line()
	if err != nil {
		return err
	}
	name, err := d.line()
	if err != nil {
		return err
	}
	if err := d.charge(64 + len(module) + len(name)); err != nil {
		return err
	}
	if !utf8.Valid(module) || !utf8.Valid(name) {
		return corrupt("a name is not UTF-8")
	}
	g := data.Global{Module: string(module), Name: string(name)}
	if d.protocol < 3 {
		g = modern(g)
	}
	return d.push(g)
}

func (d *decoder) stackGlobal() error {
	vs, err := d.take(2)
	if err != nil {
		return err
	}
	module, ok := vs[0].(string)
	name, both := vs[1].(string)
	if !ok || !both {
		return corrupt("a name is not text")
	}
	return d.push(data.Global{Module: module, Name: name})
}

// call takes the arguments and the callable from the stack.
func (d *decoder) call() (data.Value, data.Tuple, error) {
	vs, err := d.take(2)
	if err != nil {
		return nil, nil, err
	}
	args, ok := vs[1].(data.Tuple)
	if !ok {
		return nil, nil, corrupt("arguments are a %s, not a tuple", data.TypeName(vs[1]))
	}
	switch vs[0].(type) {
	case data.Global, *data.Object, data.Ref:
		return vs[0], args, nil
	}
	return nil, nil, corrupt("a %s is called", data.TypeName(vs[0]))
}

func (d *decoder) reduce() error {
	f, args, err := d.call()
	if err != nil {
		return err
	}
	if err := d.contain(); err != nil {
		return err
	}
	if g, ok := f.(data.Global); ok {
		v, ok, err := d.known(g, args)
		if err != nil {
			return err
		}
		if ok {
			return d.push(v)
		}
	}
	if err := d.charge(objectBytes); err != nil {
		return err
	}
	o := &data.Object{Func: f, Args: args}
	if d.setsState(o) {
		return fmt.Errorf("state is set by calling %s: %w", data.ReprWithin(f, 80), errors.ErrUnsupported)
	}
	if d.options.Object == nil {
		return d.push(o)
	}
	v, err := d.options.Object(o)
	if err != nil {
		return err
	}
	return d.push(v)
}

// objectBytes is what an object takes beyond what other containers do.
const objectBytes = 128

// setsState reports whether the result of a call is thrown away. Python writes
// that in two cases: for a function that puts state into its first argument, of
// which nothing would remain; and for an object within its own arguments, which
// is taken from the memo right afterwards.
func (d *decoder) setsState(o *data.Object) bool {
	if d.at >= len(d.b) || d.b[d.at] != opPop {
		return false
	}
	ahead := decoder{reader: reader{b: d.b, at: d.at + 1}, memo: d.memo, far: d.far}
	ahead.options.MaxItems, ahead.memory = 1, placeBytes
	op, err := ahead.byte()
	if err != nil || op != opBinGet && op != opLongBinGet || ahead.memoOp(op) != nil {
		return true
	}
	same, ok := ahead.stack[0].(*data.Object)
	return !ok || !sameCallable(same.Func, o.Func)
}

// sameCallable tells whether two calls are of one thing. It does not look into
// objects, of which a pickle may hold many that are large and alike.
func sameCallable(a, b data.Value) bool {
	switch a := a.(type) {
	case data.Global:
		b, ok := b.(data.Global)
		return ok && a == b
	case *data.Object:
		return b == data.Value(a)
	}
	return false
}

func (d *decoder) newObject(named bool) error {
	var kwargs data.Value
	if named {
		v, err := d.pop()
		if err != nil {
			return err
		}
		if _, ok := v.(*data.Dict); !ok {
			return corrupt("named arguments are a %s, not a dict", data.TypeName(v))
		}
		kwargs = v
	}
	class, args, err := d.call()
	if err != nil {
		return err
	}
	if err := d.contain(); err != nil {
		return err
	}
	if err := d.charge(objectBytes); err != nil {
		return err
	}
	return d.push(&data.Object{Func: class, Args: args, Kwargs: kwargs, New: true})
}

func (d *decoder) build() error {
	state, err := d.pop()
	if err != nil {
		return err
	}
	v, err := d.top()
	if err != nil {
		return err
	}
	o, ok := v.(*data.Object)
	switch {
	case !ok:
		return corrupt("state is set of a %s, which has none", data.TypeName(v))
	case o.HasState:
		return fmt.Errorf("state is set twice: %w", errors.ErrUnsupported)
	}
	o.State, o.HasState = state, true
	return nil
}
