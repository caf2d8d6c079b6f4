package objects

import (
	"errors"
	"math/big"
	"slices"

	"multiproc/internal/budget"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

type listMethod = method[*list]

var listClass = class[*list]{"list", map[string]listMethod{
	"__add__":      {slot(1), (*list).pyAdd},
	"__contains__": {slot(1), (*list).pyContains},
	"__delitem__":  {slot(1), (*list).pyDelItem},
	"__getitem__":  {exactly(1), (*list).pyGetItem},
	"__imul__":     {unpacked(1), (*list).pyIMul},
	"__len__":      {slot(0), (*list).len},
	"__mul__":      {unpacked(1), (*list).pyMul},
	"__reversed__": {exactly(0), (*list).pyReversed},
	"__rmul__":     {unpacked(1), (*list).pyMul},
	"__setitem__":  {unpacked(2), (*list).pySetItem},
	"append":       {exactly(1), (*list).append},
	"clear":        {exactly(0), (*list).clear},
	"copy":         {exactly(0), (*list).pyCopy},
	"count":        {exactly(1), (*list).count},
	"extend":       {exactly(1), (*list).pyExtend},
	"index":        {between(1, 3), (*list).pyIndex},
	"insert":       {between(2, 2), (*list).insert},
	"pop":          {between(0, 1), (*list).pyPop},
	"remove":       {exactly(1), (*list).remove},
	"reverse":      {exactly(0), (*list).reverse},
	"sort":         {open(), (*list).pySort},

	"mp.get":            {ours(1), (*list).goGet},
	"mp.set":            {ours(2), (*list).goSet},
	"mp.setVersion":     {ours(3), (*list).goSetVersion},
	"mp.compareAndSwap": {ours(3), (*list).goCompareAndSwap},
	"mp.add":            {ours(2), (*list).goAdd},
	"mp.append":         {ours(1), (*list).append},
	"mp.extend":         {ours(1), (*list).goExtend},
	"mp.insert":         {ours(2), (*list).insert},
	"mp.pop":            {ours(1), (*list).goPop},
	"mp.delete":         {ours(1), (*list).goDelete},
	"mp.remove":         {ours(1), (*list).remove},
	"mp.index":          {ours(3), (*list).pyIndex},
	"mp.count":          {ours(1), (*list).count},
	"mp.has":            {ours(1), (*list).pyContains},
	"mp.reverse":        {ours(0), (*list).reverse},
	"mp.sort":           {ours(1), (*list).goSort},
	"mp.len":            {ours(0), (*list).len},
	"mp.clear":          {ours(0), (*list).clear},
	"mp.slice":          {ours(3), (*list).goSlice},
	"mp.setSlice":       {ours(4), (*list).goSetSlice},
	"mp.deleteSlice":    {ours(3), (*list).goDeleteSlice},
	"mp.repeat":         {ours(1), (*list).goRepeat},
	"mp.watch":          {ours(0), (*list).goWatch},
}}

func (l *list) len(*store.Call, []store.Item) (store.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return intItem(len(l.items)), nil
}

// pyAdd is l + x. As nothing else can be meant, x may also be a shared list.
func (l *list) pyAdd(c *store.Call, a []store.Item) (store.Item, error) {
	other := a[0]
	v := other.Value()
	_, isList := v.(*pyvalue.List)
	if ref, ok := v.(pyvalue.Ref); ok {
		o, _ := l.store.Object(ref.ID)
		_, isList = o.(*list)
	}
	if !isList {
		return none, pyvalue.TypeError(`can only concatenate list (not "` + pyvalue.TypeName(v) + `") to list`)
	}
	more, err := iterate(l.store, c.Args.Loan, other)
	if err != nil {
		return none, err
	}
	items, err := l.copied(c, 2)
	if err != nil {
		return none, err
	}
	return joined(c, append(items, more...))
}

// indices complains about what is neither an integer nor a slice.
func (l *list) noIndex(v pyvalue.Value) error {
	return pyvalue.TypeError("list indices must be integers or slices, not " + pyvalue.TypeName(v))
}

func (l *list) pyGetItem(c *store.Call, a []store.Item) (store.Item, error) {
	key := a[0].Value()
	if s, ok := key.(pyvalue.Slice); ok {
		items, err := l.slice(s)
		if err != nil {
			return none, err
		}
		return joined(c, items)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok, err := pyvalue.Position(key, len(l.items), "list index out of range")
	if !ok {
		err = l.noIndex(key)
	}
	if err != nil {
		return none, err
	}
	return l.items[i].v, nil
}

func (l *list) pySetItem(c *store.Call, a []store.Item) (store.Item, error) {
	key, v := a[0].Value(), a[1]
	if s, ok := key.(pyvalue.Slice); ok {
		items, err := l.assigned(s, v, c.Args.Loan)
		if err != nil {
			return none, err
		}
		return none, l.setSlice(s, items)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok, err := pyvalue.Position(key, len(l.items), "list assignment index out of range")
	if !ok {
		err = l.noIndex(key)
	}
	if err == nil {
		err = l.set(i, v)
	}
	if err == nil {
		l.changed("set", i, &v)
	}
	return none, err
}

// assigned are the values that are assigned to a slice.
func (l *list) assigned(s pyvalue.Slice, v store.Item, loan *budget.Loan) ([]store.Item, error) {
	items, err := iterate(l.store, loan, v)
	if err == nil || !errors.Is(err, mperr.ErrType) {
		return items, err
	}
	if _, err := s.Span(0); err != nil {
		return nil, err
	}
	if step, ok := pyvalue.Saturated(s.Step); s.Step == nil || ok && step == 1 {
		return nil, pyvalue.TypeError("can only assign an iterable")
	}
	return nil, pyvalue.TypeError("must assign iterable to extended slice")
}

func (l *list) pyDelItem(c *store.Call, a []store.Item) (store.Item, error) {
	key := a[0].Value()
	if s, ok := key.(pyvalue.Slice); ok {
		return none, l.deleteSlice(s)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok, err := pyvalue.Position(key, len(l.items), "list assignment index out of range")
	if !ok {
		err = l.noIndex(key)
	}
	if err == nil {
		err = l.replace(i, i+1, nil)
	}
	if err == nil {
		l.changed("delete", i, nil)
	}
	return none, err
}

func (l *list) pyCopy(c *store.Call, a []store.Item) (store.Item, error) {
	items, err := l.copied(c, 1)
	if err != nil {
		return none, err
	}
	return joined(c, items)
}

// copied is snapshot, charged for what holds the items times times.
func (l *list) copied(c *store.Call, times int) ([]store.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := spend(c, times*itemCost*len(l.items)); err != nil {
		return nil, err
	}
	return l.itemsLocked(), nil
}

func (l *list) pyReversed(c *store.Call, a []store.Item) (store.Item, error) {
	items, err := l.copied(c, 1)
	if err == nil {
		err = spend(c, copyCost(c, items))
	}
	if err != nil {
		return none, err
	}
	if !c.Python {
		slices.Reverse(items)
		return store.Array(items...), nil
	}
	return reversedOf(items), nil
}

func (l *list) pyExtend(c *store.Call, a []store.Item) (store.Item, error) {
	items, err := iterate(l.store, c.Args.Loan, a[0])
	if err != nil {
		return none, err
	}
	return none, l.extend(items)
}

// pyIndex is index of both languages.
func (l *list) pyIndex(c *store.Call, a []store.Item) (store.Item, error) {
	var bounds [2]int
	for i := range bounds {
		bounds[i] = i * maxInt
		if len(a) > i+1 {
			var ok bool
			if bounds[i], ok = pyvalue.Saturated(a[i+1].Value()); !ok {
				return none, pyvalue.TypeError("slice indices must be integers or have an __index__ method")
			}
		}
	}
	v := a[0]
	i, err := l.find(c, v, bounds[0], bounds[1])
	if err != nil {
		return none, err
	}
	if i < 0 {
		return none, pyvalue.NoValue(pyvalue.ReprWithin(v.Value(), maxMessage) + " is not in list")
	}
	return intItem(i), nil
}

// maxMessage bounds the part of a message that a value is.
const maxMessage = 1000

func (l *list) pyPop(c *store.Call, a []store.Item) (store.Item, error) {
	i := int64(-1)
	if len(a) == 1 {
		var err error
		if i, err = integer(a[0]); err != nil {
			return none, err
		}
	}
	return l.pop("pop", i)
}

// pySort takes its parameters by name only. A key would be code that the
// manager has to run, which it does not.
func (l *list) pySort(c *store.Call, a []store.Item) (store.Item, error) {
	if len(a) > 0 {
		return none, pyvalue.TypeError("sort() takes no positional arguments")
	}
	reverse := false
	for name, v := range c.Args.Named {
		switch {
		case name == "reverse":
			reverse = pyvalue.Truth(v.Value())
		case name != "key":
			return none, pyvalue.TypeError("'" + name + "' is an invalid keyword argument for sort()")
		case !v.IsNone():
			return none, pyvalue.TypeError("sort: this manager runs no code of its clients, so key must be None; sort a copy instead")
		}
	}
	return none, l.sort(c, reverse)
}

func (l *list) pyMul(c *store.Call, a []store.Item) (store.Item, error) {
	n, err := repetitions(a[0])
	if err != nil {
		return none, err
	}
	items, err := l.copied(c, 1)
	if err != nil {
		return none, err
	}
	release, err := l.borrow(items, n)
	if err != nil {
		return none, err
	}
	defer release()
	if err := spend(c, itemCost*len(items)*max(n, 0)); err != nil {
		return none, err
	}
	return joined(c, pyvalue.Repeated(items, n))
}

// borrow charges the list for n times the items, until release is called.
func (l *list) borrow(items []store.Item, n int) (release func(), err error) {
	if err := pyvalue.Repeats(len(items), n); err != nil {
		return nil, err
	}
	cost := sizeOf(items) * max(n, 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.charge(cost); err != nil {
		return nil, err
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refund(cost)
	}, nil
}

func (l *list) pyIMul(c *store.Call, a []store.Item) (store.Item, error) {
	n, err := repetitions(a[0])
	if err != nil {
		return none, err
	}
	if err := l.repeat(n); err != nil {
		return none, err
	}
	return l.pyCopy(c, a)
}

// repetitions is the right side of l * n.
func repetitions(it store.Item) (int, error) {
	v := it.Value()
	if _, ok := v.(*big.Int); ok {
		return 0, overflow("cannot fit 'int' into an index-sized integer")
	}
	n, err := integer(it)
	return int(n), err
}
