package pickle

import (
	"errors"
	"fmt"
	"strings"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// batch is how many items one opcode adds, as in CPython.
const batch = 1000

// tuple writes the elements first. If they led to the tuple itself, it has been
// written on the way: then the elements are taken off the stack again.
func (e *encoder) tuple(t pyvalue.Tuple, id pyvalue.ID, depth int) error {
	if len(t) > 3 {
		e.op(opMark)
	}
	for _, v := range t {
		if err := e.save(v, depth); err != nil {
			return err
		}
	}
	if e.memo.has(id) {
		e.drop(len(t))
		e.recall(id)
		return nil
	}
	if len(t) > 3 {
		e.op(opTuple)
	} else {
		e.op(byte(opTuple1 + len(t) - 1))
	}
	e.memoize(id)
	return nil
}

// drop takes the n elements of a tuple off the stack.
func (e *encoder) drop(n int) {
	if n > 3 {
		e.op(opPopMark)
		return
	}
	for range n {
		e.op(opPop)
	}
}

// items adds items to the container on the stack, in batches.
func (e *encoder) items(items []pyvalue.Value, one, many byte, depth int) error {
	for len(items) > 0 {
		now := items[:min(len(items), batch)]
		items = items[len(now):]
		if len(now) > 1 || one == 0 {
			e.op(opMark)
		}
		for _, v := range now {
			if err := e.save(v, depth); err != nil {
				return err
			}
		}
		if len(now) > 1 || one == 0 {
			e.op(many)
		} else {
			e.op(one)
		}
	}
	return nil
}

func (e *encoder) entries(entries []pyvalue.Entry, depth int) error {
	for len(entries) > 0 {
		now := entries[:min(len(entries), batch)]
		entries = entries[len(now):]
		if len(now) > 1 {
			e.op(opMark)
		}
		for _, it := range now {
			if err := e.save(it.Key, depth); err != nil {
				return err
			}
			if err := e.save(it.Value, depth); err != nil {
				return err
			}
		}
		if len(now) > 1 {
			e.op(opSetItems)
		} else {
			e.op(opSetItem)
		}
	}
	return nil
}

func (e *encoder) set(s *pyvalue.Set, id pyvalue.ID, depth int) error {
	if e.protocol < 4 {
		return e.made(id, e.reduce(depth, "builtins", "set", &pyvalue.List{Items: s.Items}))
	}
	e.op(opEmptySet)
	e.memoize(id)
	return e.items(s.Items, 0, opAddItems, depth)
}

func (e *encoder) frozenSet(s *pyvalue.FrozenSet, id pyvalue.ID, depth int) error {
	if e.protocol < 4 {
		return e.made(id, e.reduce(depth, "builtins", "frozenset", &pyvalue.List{Items: s.Items}))
	}
	e.op(opMark)
	for _, v := range s.Items {
		if err := e.save(v, depth); err != nil {
			return err
		}
	}
	if e.memo.has(id) {
		e.op(opPopMark)
		e.recall(id)
		return nil
	}
	e.op(opFrozenSet)
	e.memoize(id)
	return nil
}

func (e *encoder) byteArray(b *pyvalue.ByteArray, id pyvalue.ID, depth int) error {
	switch {
	case e.protocol >= 5:
		e.sized(opByteArray8, 8, len(b.B))
		e.dst = append(e.dst, b.B...)
		e.memoize(id)
		return nil
	case len(b.B) == 0:
		return e.made(id, e.reduce(depth, "builtins", "bytearray"))
	}
	return e.made(id, e.reduce(depth, "builtins", "bytearray", b.B))
}

// made puts what was just made into the memo. If its parts led to itself it is
// there already, and the second one is dropped.
func (e *encoder) made(id pyvalue.ID, err error) error {
	if err != nil {
		return err
	}
	if e.memo.has(id) {
		e.op(opPop)
		e.recall(id)
		return nil
	}
	e.memoize(id)
	return nil
}

// reduce writes a call of a function by its name.
func (e *encoder) reduce(depth int, module, name string, args ...pyvalue.Value) error {
	if err := e.global(pyvalue.Global{Module: module, Name: name}); err != nil {
		return err
	}
	return e.apply(args, depth)
}

// apply writes arguments, and the call. The tuple is not remembered: it is new
// each time.
func (e *encoder) apply(args []pyvalue.Value, depth int) error {
	switch {
	case len(args) == 0:
		e.dst = append(e.dst, opEmptyTuple, opReduce)
		return nil
	case len(args) > 3:
		e.op(opMark)
	}
	for _, v := range args {
		if err := e.save(v, depth); err != nil {
			return err
		}
	}
	if len(args) > 3 {
		e.op(opTuple)
	} else {
		e.op(byte(opTuple1 + len(args) - 1))
	}
	e.op(opReduce)
	return nil
}

// saveCall writes what Python makes by calling something.
func (e *encoder) saveCall(v pyvalue.Value, id pyvalue.ID, depth int) error {
	switch v := v.(type) {
	case pyvalue.Global:
		return e.global(v)
	case complex128:
		return e.reduce(depth, "builtins", "complex", real(v), imag(v))
	case pyvalue.Slice:
		return e.reduce(depth, "builtins", "slice", v.Start, v.Stop, v.Step)
	case pyvalue.Range:
		return e.reduce(depth, "builtins", "range", v.Start, v.Stop, v.Step)
	case *pyvalue.Exception:
		return e.made(id, e.reduce(depth, v.Class.Module, v.Class.Name, v.Args...))
	case *pyvalue.Object:
		return e.object(v, id, depth)
	}
	return fmt.Errorf("a value of Go type %T: %w", v, mperr.ErrType)
}

func (e *encoder) object(o *pyvalue.Object, id pyvalue.ID, depth int) error {
	if _, ok := o.Args.(pyvalue.Tuple); !ok {
		return fmt.Errorf("arguments of %s are a %s, not a tuple: %w", pyvalue.ReprWithin(o.Func, 80), pyvalue.TypeName(o.Args), mperr.ErrType)
	}
	for _, v := range []pyvalue.Value{o.Func, o.Args} {
		if err := e.save(v, depth); err != nil {
			return err
		}
	}
	switch {
	case o.New && o.Kwargs != nil:
		if e.protocol < 4 {
			return fmt.Errorf("an instance made with named arguments, in protocol %d: %w", e.protocol, errors.ErrUnsupported)
		}
		if err := e.save(o.Kwargs, depth); err != nil {
			return err
		}
		e.op(opNewObjEx)
	case o.New:
		e.op(opNewObj)
	default:
		e.op(opReduce)
	}
	if e.memo.has(id) { // whoever led here has written the contents
		return e.made(id, nil)
	}
	e.memoize(id)
	return e.contents(o, depth)
}

// contents writes what is put into an object once it has been made.
func (e *encoder) contents(o *pyvalue.Object, depth int) error {
	if err := e.items(o.Items, opAppend, opAppends, depth); err != nil {
		return err
	}
	if err := e.entries(o.Entries, depth); err != nil {
		return err
	}
	if !o.HasState {
		return nil
	}
	if err := e.save(o.State, depth); err != nil {
		return err
	}
	e.op(opBuild)
	return nil
}

func (e *encoder) global(g pyvalue.Global) error {
	if n, ok := e.memo.global(g); ok {
		e.get(n)
		return nil
	}
	if e.protocol >= 4 {
		e.text(g.Module)
		e.text(g.Name)
		e.op(opStackGlobal)
	} else {
		// A class within a class has a dot in its name, and these protocols have
		// Python look for that as it stands.
		if strings.Contains(g.Module+g.Name, "\n") || strings.Contains(g.Name, ".") {
			return fmt.Errorf("the name %q, in protocol %d: %w", g, e.protocol, errors.ErrUnsupported)
		}
		e.op(opGlobal)
		e.dst = append(e.dst, pyvalue.WTF8(g.Module)+"\n"+pyvalue.WTF8(g.Name)+"\n"...)
	}
	e.memo.addGlobal(g)
	e.put(e.memo.n - 1)
	return nil
}
