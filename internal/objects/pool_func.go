package objects

import (
	"context"
	"fmt"

	"multiproc/internal/budget"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// function is the function that a pickled one names. It fails when it is
// called if the table does not have it: a pool that is given no work does not
// need to know.
func (p *pool) function(it store.Item) store.Func {
	name, err := functionName(it.Value())
	if err == nil && len(name) > maxMessage {
		err = pyvalue.TypeError("no function has a name so long")
	}
	if err != nil { // which is kept for as long as the result is, so it is short
		return func(context.Context, store.Args) (store.Item, error) { return none, err }
	}
	if ref, ok := it.Value().(*pyvalue.Object); ok {
		if target, method, ok := boundMethod(ref); ok {
			return func(ctx context.Context, args store.Args) (store.Item, error) {
				return p.s.Invoke(ctx, target.ID, method, args)
			}
		}
	}
	if f := p.s.Func(name); f != nil {
		return f
	}
	return func(context.Context, store.Args) (store.Item, error) {
		return none, &pyvalue.Exception{
			Class: pyvalue.Global{Module: "builtins", Name: "AttributeError"},
			Args:  pyvalue.Tuple{fmt.Sprintf("this manager has no function %s; a Go program offers one with manager.RegisterFunc", name)},
		}
	}
}

// functionName is the dotted name of a pickled function: a global, or an
// attribute of one.
func functionName(v pyvalue.Value) (string, error) {
	switch v := v.(type) {
	case pyvalue.Global:
		return v.String(), nil
	case *pyvalue.Object:
		if owner, name, ok := attribute(v); ok {
			if g, ok := owner.(pyvalue.Global); ok {
				return g.String() + "." + name, nil
			}
			if _, ok := owner.(pyvalue.Ref); ok {
				return name, nil
			}
		}
	}
	return "", pyvalue.TypeError(pyvalue.ReprWithin(v, maxMessage) + " is not a function that this manager can call")
}

// attribute takes getattr(owner, name) apart, which is how Python pickles
// methods.
func attribute(o *pyvalue.Object) (owner pyvalue.Value, name string, ok bool) {
	args, _ := o.Args.(pyvalue.Tuple)
	if o.Func != (pyvalue.Global{Module: "builtins", Name: "getattr"}) || len(args) != 2 {
		return nil, "", false
	}
	name, ok = args[1].(string)
	return args[0], name, ok
}

// boundMethod is a method of a shared object: l.append of a ListProxy l.
func boundMethod(o *pyvalue.Object) (target pyvalue.Ref, method string, ok bool) {
	owner, method, ok := attribute(o)
	if !ok {
		return target, "", false
	}
	target, ok = owner.(pyvalue.Ref)
	return target, method, ok
}

// poolArgs are the arguments of apply: a sequence and a dict.
func poolArgs(all *loops, pos, named store.Item) (args store.Args, err error) {
	if !pos.IsNone() {
		if args.Pos, err = all.over(pos); err != nil {
			return args, err
		}
	}
	d, ok := named.Value().(*pyvalue.Dict)
	if !ok {
		if named.Value() == nil {
			return args, nil
		}
		return args, pyvalue.TypeError("argument after ** must be a mapping, not " + pyvalue.TypeName(named.Value()))
	}
	args.Named = map[string]store.Item{}
	for _, e := range d.Entries {
		name, ok := e.Key.(string)
		if !ok {
			return args, pyvalue.TypeError("keywords must be strings")
		}
		args.Named[name] = store.Of(e.Value)
		args.Order = append(args.Order, name)
	}
	return args, nil
}

// calls are the arguments of each call of a map: one item, or with star the
// items of it.
func (p *pool) calls(loan *budget.Loan, iterable store.Item, star bool) ([]store.Args, error) {
	all := newLoops(p.s, loan)
	items, err := all.over(iterable)
	if err != nil {
		return nil, err
	}
	cost := len(items) * taskCost
	if err := p.pays.Take(cost); err != nil { // before the memory is used
		return nil, memoryError(err)
	}
	p.pays.Give(cost)
	calls := make([]store.Args, len(items))
	for i := range items {
		if !star {
			calls[i].Pos = items[i : i+1 : i+1]
			continue
		}
		if calls[i], err = poolArgs(all, items[i], none); err != nil {
			return nil, err
		}
	}
	return calls, nil
}

// maxRange bounds what a range, which is a few bytes on the wire, may become.
const maxRange = 1 << 22

// rangeCount is how many elements a range has that may become them.
func rangeCount(r pyvalue.Range) (uint64, error) {
	start, ok1 := r.Start.(int64)
	stop, ok2 := r.Stop.(int64)
	step, ok3 := r.Step.(int64)
	if !ok1 || !ok2 || !ok3 || step == 0 {
		return 0, pyvalue.ValueError("range of numbers that are too large")
	}
	var n uint64 // the differences may need 64 bits
	switch {
	case step > 0 && start < stop:
		n = (uint64(stop)-uint64(start)-1)/uint64(step) + 1
	case step < 0 && start > stop:
		n = (uint64(start)-uint64(stop)-1)/-uint64(step) + 1
	}
	if n > maxRange {
		return 0, pyvalue.ValueError("range of more than 4 million items")
	}
	return n, nil
}

func rangeItems(r pyvalue.Range) ([]pyvalue.Value, error) {
	n, err := rangeCount(r)
	if err != nil {
		return nil, err
	}
	start, _ := r.Start.(int64)
	step, _ := r.Step.(int64)
	items := make([]pyvalue.Value, n)
	for i := range items {
		items[i] = start + int64(i)*step
	}
	return items, nil
}
