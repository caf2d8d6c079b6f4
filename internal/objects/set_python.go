package objects

import (
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

type setMethod = method[*set]

var setClass = class[*set]{"set", map[string]setMethod{
	"__and__":  {slot(1), operator(intersect)},
	"__rand__": {slot(1), mirrored(intersect)},
	"__or__":   {slot(1), operator(unite)},
	"__ror__":  {slot(1), mirrored(unite)},
	"__sub__":  {slot(1), operator(subtract)},
	"__rsub__": {slot(1), mirrored(subtract)},
	"__xor__":  {slot(1), operator(differ)},
	"__rxor__": {slot(1), mirrored(differ)},
	"__iand__": {slot(1), assignment((*set).keepOnly)},
	"__ior__":  {slot(1), assignment((*set).addAll)},
	"__isub__": {slot(1), assignment((*set).dropAll)},
	"__ixor__": {slot(1), assignment((*set).toggle)},
	"__ge__":   {slot(1), comparison(func(a, b []hashed) bool { return contains(a, b) })},
	"__gt__":   {slot(1), comparison(func(a, b []hashed) bool { return len(a) > len(b) && contains(a, b) })},
	"__le__":   {slot(1), comparison(func(a, b []hashed) bool { return contains(b, a) })},
	"__lt__":   {slot(1), comparison(func(a, b []hashed) bool { return len(a) < len(b) && contains(b, a) })},

	"__class_getitem__": {exactly(1), (*set).pyClassGetItem},
	"__contains__":      {exactly(1), (*set).has},
	"__iter__":          {slot(0), (*set).pyIter},
	"__len__":           {slot(0), (*set).len},

	"add":     {exactly(1), (*set).pyAdd},
	"clear":   {exactly(0), (*set).clearAll},
	"copy":    {exactly(0), (*set).pyCopy},
	"discard": {exactly(1), (*set).pyDiscard},
	"pop":     {exactly(0), (*set).pop},
	"remove":  {exactly(1), (*set).pyRemove},

	"difference":           {between(0, anyNumber), combination(anyOf, subtract)},
	"intersection":         {between(0, anyNumber), combination(allOf, intersect)},
	"union":                {between(0, anyNumber), combination(anyOf, unite)},
	"symmetric_difference": {exactly(1), combination(anyOf, differ)},

	"difference_update":           {between(0, anyNumber), update(anyOf, (*set).dropAll)},
	"intersection_update":         {between(0, anyNumber), update(allOf, (*set).keepOnly)},
	"update":                      {between(0, anyNumber), update(anyOf, (*set).addAll)},
	"symmetric_difference_update": {exactly(1), update(anyOf, (*set).toggle)},

	"isdisjoint": {exactly(1), question(func(a, b []hashed) bool { return len(intersect(a, b)) == 0 })},
	"issubset":   {exactly(1), question(func(a, b []hashed) bool { return contains(b, a) })},
	"issuperset": {exactly(1), question(contains)},

	"mp.add":       {ours(1), (*set).goAdd},
	"mp.remove":    {ours(1), (*set).goRemove},
	"mp.has":       {ours(1), (*set).has},
	"mp.pop":       {ours(0), (*set).pop},
	"mp.len":       {ours(0), (*set).len},
	"mp.clear":     {ours(0), (*set).clearAll},
	"mp.addAll":    {ours(1), goBatch((*set).add)},
	"mp.removeAll": {ours(1), goBatch(func(o *set, m []hashed) (int, error) { return o.drop(m), nil })},
	"mp.retain":    {ours(1), goBatch(func(o *set, m []hashed) (int, error) { return o.retain(m), nil })},
	"mp.page":      {ours(2), (*set).goPage},
}}

const anyNumber = 1 << 20

func (o *set) pyAdd(c *store.Call, a []store.Item) (store.Item, error) {
	_, err := o.goAdd(c, a)
	return none, err
}

func (o *set) pyDiscard(c *store.Call, a []store.Item) (store.Item, error) {
	_, err := o.goRemove(c, a)
	return none, err
}

func (o *set) pyRemove(c *store.Call, a []store.Item) (store.Item, error) {
	removed, err := o.goRemove(c, a)
	if err == nil && !pyvalue.Truth(removed.Value()) {
		err = noKey(a[0])
	}
	return none, err
}

func (o *set) pyCopy(c *store.Call, a []store.Item) (store.Item, error) {
	if err := spend(c, o.Cost(false)); err != nil {
		return none, err
	}
	return store.Of(o.plain()), nil
}

func (o *set) pyIter(c *store.Call, a []store.Item) (store.Item, error) {
	keys, _ := o.snapshot()
	if err := spend(c, copyCost(c, keys)); err != nil {
		return none, err
	}
	if !c.Python {
		return store.Array(keys...), nil
	}
	return iteratorOf(keys), nil
}

// pyClassGetItem is set[x], an alias for the annotations of a program.
func (o *set) pyClassGetItem(c *store.Call, a []store.Item) (store.Item, error) {
	params, ok := a[0].Value().(pyvalue.Tuple)
	if !ok {
		params = pyvalue.Tuple{a[0].Value()}
	}
	return store.Of(&pyvalue.Object{
		Func: pyvalue.Global{Module: "types", Name: "GenericAlias"},
		Args: pyvalue.Tuple{pyvalue.Global{Module: "builtins", Name: "set"}, params},
	}), nil
}

// now are the members at this moment.
func (o *set) now() []hashed {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.members()
}

// setOperand returns the members of what an operator accepts on its other
// side: sets, plain or shared.
func (o *set) setOperand(c *store.Call) (members []hashed, ok bool, err error) {
	it := c.Args.Pos[0]
	switch v := it.Value().(type) {
	case *pyvalue.Set, *pyvalue.FrozenSet:
	case pyvalue.Ref:
		other, _ := o.store.Object(v.ID)
		if _, ok := other.(*set); !ok {
			return nil, false, nil
		}
	default:
		return nil, false, nil
	}
	members, err = membersOf(o.store, c.Args.Loan, it)
	return members, true, err
}

// algebra is the plain set that f makes of the members and others.
func (o *set) algebra(c *store.Call, f func(a, b []hashed) []hashed, b []hashed) (store.Item, error) {
	a := o.now()
	if err := spend(c, 2*memberCost*(len(a)+len(b))); err != nil {
		return none, err
	}
	members := f(a, b)
	trees := 0
	for _, k := range members {
		trees += k.key.Tree()
	}
	if err := spend(c, trees); err != nil {
		return none, err
	}
	return plainSet(members), undecided(a, b)
}

func plainSet(members []hashed) store.Item {
	items := make([]pyvalue.Value, len(members))
	for i, k := range members {
		items[i] = k.key.Value()
	}
	return store.Of(&pyvalue.Set{Items: items})
}

// operator is a method like __or__, whose result is a plain set.
func operator(f func(a, b []hashed) []hashed) func(*set, *store.Call, []store.Item) (store.Item, error) {
	return func(o *set, c *store.Call, a []store.Item) (store.Item, error) {
		b, ok, err := o.setOperand(c)
		if !ok || err != nil {
			return notImplemented, err
		}
		return o.algebra(c, f, b)
	}
}

// mirrored is a method like __ror__: the other side comes first, and its type
// is that of the result.
func mirrored(f func(a, b []hashed) []hashed) func(*set, *store.Call, []store.Item) (store.Item, error) {
	swapped := operator(func(a, b []hashed) []hashed { return f(b, a) })
	return func(o *set, c *store.Call, a []store.Item) (store.Item, error) {
		result, err := swapped(o, c, a)
		if _, frozen := a[0].Value().(*pyvalue.FrozenSet); frozen && err == nil {
			s, _ := result.Value().(*pyvalue.Set)
			return store.Of(&pyvalue.FrozenSet{Items: s.Items}), nil
		}
		return result, err
	}
}

// operands is what the arguments of a method come to.
type operands func(all *loops, args []store.Item) ([]hashed, error)

// combination is a method like union, which takes any number of what can be
// iterated over.
func combination(of operands, f func(a, b []hashed) []hashed) func(*set, *store.Call, []store.Item) (store.Item, error) {
	return func(o *set, c *store.Call, a []store.Item) (store.Item, error) {
		if len(a) == 0 {
			return o.pyCopy(c, a)
		}
		b, err := of(newLoops(o.store, c.Args.Loan), a)
		if err != nil {
			return none, err
		}
		return o.algebra(c, f, b)
	}
}

// comparison is a method like __le__.
func comparison(f func(a, b []hashed) bool) func(*set, *store.Call, []store.Item) (store.Item, error) {
	return func(o *set, c *store.Call, a []store.Item) (store.Item, error) {
		b, ok, err := o.setOperand(c)
		if !ok || err != nil {
			return notImplemented, err
		}
		mine := o.now()
		return boolItem(f(mine, b)), undecided(mine, b)
	}
}

// question is a method like issubset.
func question(f func(a, b []hashed) bool) func(*set, *store.Call, []store.Item) (store.Item, error) {
	return func(o *set, c *store.Call, a []store.Item) (store.Item, error) {
		b, err := membersOf(o.store, c.Args.Loan, a[0])
		if err != nil {
			return none, err
		}
		mine := o.now()
		return boolItem(f(mine, distinct(b))), undecided(mine, b)
	}
}

// update is a method like difference_update: one change for all arguments.
func update(of operands, change func(o *set, b []hashed) error) func(*set, *store.Call, []store.Item) (store.Item, error) {
	return func(o *set, c *store.Call, a []store.Item) (store.Item, error) {
		if len(a) == 0 {
			return none, nil
		}
		b, err := of(newLoops(o.store, c.Args.Loan), a)
		if err != nil {
			return none, err
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if err := o.sureOf(b); err != nil {
			return none, err
		}
		return none, change(o, b)
	}
}

// assignment is a method like __ior__. It returns the set itself; clients of
// CPython drop it.
func assignment(change func(o *set, b []hashed) error) func(*set, *store.Call, []store.Item) (store.Item, error) {
	return func(o *set, c *store.Call, a []store.Item) (store.Item, error) {
		b, ok, err := o.setOperand(c)
		if !ok || err != nil {
			return notImplemented, err
		}
		o.mu.Lock()
		if err = o.sureOf(b); err == nil {
			err = change(o, b)
		}
		members := o.members()
		o.mu.Unlock()
		if err != nil {
			return none, err
		}
		return plainSet(members), nil
	}
}
