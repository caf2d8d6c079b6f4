package pickle

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"multiproc/internal/pyvalue"
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
	g := pyvalue.Global{Module: string(module), Name: string(name)}
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
	return d.push(pyvalue.Global{Module: module, Name: name})
}

// call takes the arguments and the callable from the stack.
func (d *decoder) call() (pyvalue.Value, pyvalue.Tuple, error) {
	vs, err := d.take(2)
	if err != nil {
		return nil, nil, err
	}
	args, ok := vs[1].(pyvalue.Tuple)
	if !ok {
		return nil, nil, corrupt("arguments are a %s, not a tuple", pyvalue.TypeName(vs[1]))
	}
	switch vs[0].(type) {
	case pyvalue.Global, *pyvalue.Object, pyvalue.Ref:
		return vs[0], args, nil
	}
	return nil, nil, corrupt("a %s is called", pyvalue.TypeName(vs[0]))
}

func (d *decoder) reduce() error {
	f, args, err := d.call()
	if err != nil {
		return err
	}
	if err := d.contain(); err != nil {
		return err
	}
	if g, ok := f.(pyvalue.Global); ok {
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
	o := &pyvalue.Object{Func: f, Args: args}
	if d.setsState(o) {
		return fmt.Errorf("state is set by calling %s: %w", pyvalue.ReprWithin(f, 80), errors.ErrUnsupported)
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
func (d *decoder) setsState(o *pyvalue.Object) bool {
	if d.at >= len(d.b) || d.b[d.at] != opPop {
		return false
	}
	ahead := decoder{reader: reader{b: d.b, at: d.at + 1}, memo: d.memo, far: d.far}
	ahead.options.MaxItems, ahead.memory = 1, placeBytes
	op, err := ahead.byte()
	if err != nil || op != opBinGet && op != opLongBinGet || ahead.memoOp(op) != nil {
		return true
	}
	same, ok := ahead.stack[0].(*pyvalue.Object)
	return !ok || !sameCallable(same.Func, o.Func)
}

// sameCallable tells whether two calls are of one thing. It does not look into
// objects, of which a pickle may hold many that are large and alike.
func sameCallable(a, b pyvalue.Value) bool {
	switch a := a.(type) {
	case pyvalue.Global:
		b, ok := b.(pyvalue.Global)
		return ok && a == b
	case *pyvalue.Object:
		return b == pyvalue.Value(a)
	}
	return false
}

func (d *decoder) newObject(named bool) error {
	var kwargs pyvalue.Value
	if named {
		v, err := d.pop()
		if err != nil {
			return err
		}
		if _, ok := v.(*pyvalue.Dict); !ok {
			return corrupt("named arguments are a %s, not a dict", pyvalue.TypeName(v))
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
	return d.push(&pyvalue.Object{Func: class, Args: args, Kwargs: kwargs, New: true})
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
	o, ok := v.(*pyvalue.Object)
	switch {
	case !ok:
		return corrupt("state is set of a %s, which has none", pyvalue.TypeName(v))
	case o.HasState:
		return fmt.Errorf("state is set twice: %w", errors.ErrUnsupported)
	}
	o.State, o.HasState = state, true
	return nil
}
