package objects

import (
	"errors"
	"slices"
	"strings"

	"multiproc/internal/budget"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// iterate returns what a Python loop over a value sees. A reference stands for
// the contents of the object at this moment, as a loop over a proxy does. No
// object's mutex may be held.
func iterate(s *store.Store, loan *budget.Loan, it store.Item) ([]store.Item, error) {
	return newLoops(s, loan).over(it)
}

// loops are all that one call runs over. The first is as long as the message
// says, or as a range may be; but a message of a few bytes may name the same
// million elements as often as it likes, so there is a bound for all others.
type loops struct {
	s     *store.Store
	loan  *budget.Loan
	begun bool
	room  int // for elements
	keyer pyvalue.Keyer
}

// maxElements is how many elements the loops of one call may see, but for
// the first one.
const maxElements = 1 << 24

func newLoops(s *store.Store, loan *budget.Loan) *loops {
	return &loops{s: s, loan: loan, room: maxElements}
}

// take charges n elements before there are any: the items of each, and its value.
func (l *loops) take(n int) error { return l.loan.Take(itemCost * n) }

func (l *loops) spend(elements int) error {
	if l.room -= elements; l.room < 0 {
		return memoryError(nil)
	}
	return nil
}

// over is iterate.
func (l *loops) over(it store.Item) ([]store.Item, error) {
	items, err := l.items(it)
	if err == nil && l.begun {
		err = l.spend(len(items))
	}
	l.begun = true
	return items, err
}

// hashAll prepares the keys that a loop has seen.
func (l *loops) hashAll(keys []store.Item) ([]hashed, error) {
	if err := l.loan.Take(memberCost * len(keys)); err != nil {
		return nil, err
	}
	out := make([]hashed, len(keys))
	for i, key := range keys {
		var err error
		if out[i], err = hashBy(&l.keyer, key); err != nil {
			return nil, err
		}
		if err := l.loan.Take(len(out[i].hash)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// members are the elements of a loop, as those of a set.
func (l *loops) members(it store.Item) ([]hashed, error) {
	items, err := l.over(it)
	if err != nil {
		return nil, err
	}
	return l.hashAll(items)
}

func (l *loops) items(it store.Item) ([]store.Item, error) {
	if raw, ok := it.CBOR(); ok {
		if err := l.take(min(it.Len(), len(raw))); err != nil {
			return nil, err
		}
	} else if err := l.takeFor(it.Value()); err != nil {
		return nil, err
	}
	items, err := it.Items()
	switch {
	case err == nil:
		return items, nil
	case errors.Is(err, mperr.ErrLimit):
		return nil, memoryError(err)
	}
	v := it.Value()
	if ref, ok := v.(pyvalue.Ref); ok {
		items, ok, err := contents(l.s, ref)
		if err == nil && !ok {
			err = notIterable(v)
		}
		if err == nil {
			err = l.take(len(items))
		}
		return items, err
	}
	if _, ok := it.CBOR(); ok {
		if err := l.takeFor(v); err != nil {
			return nil, err
		}
	}
	parts, err := l.elements(v)
	if err != nil {
		return nil, err
	}
	if items, err = store.OfAll(parts); err != nil {
		return nil, memoryError(err)
	}
	return items, nil
}

// takeFor charges what a loop over a value makes of it.
func (l *loops) takeFor(v pyvalue.Value) error {
	n := 0
	switch v := v.(type) {
	case pyvalue.Tuple:
		n = len(v)
	case *pyvalue.List:
		n = len(v.Items)
	case *pyvalue.Set:
		n = len(v.Items)
	case *pyvalue.FrozenSet:
		n = len(v.Items)
	case *pyvalue.Dict:
		n = 2 * len(v.Entries)
	case string:
		n = 2 * len(v)
	case []byte:
		n = len(v)
	case *pyvalue.ByteArray:
		n = len(v.B)
	case pyvalue.Range:
		count, err := rangeCount(v)
		if err != nil {
			return nil // who makes the elements says so
		}
		n = 2 * int(count)
	case *pyvalue.Object:
		n = max(len(v.Items), len(v.Entries))
		if class, _ := v.Func.(pyvalue.Global); class == arrayClass || class == iterClass || class == reversedClass {
			if args, ok := v.Args.(pyvalue.Tuple); ok && len(args) > 0 {
				return l.takeFor(args[len(args)-1])
			}
		}
	}
	return l.take(n)
}

func notIterable(v pyvalue.Value) error {
	return pyvalue.TypeError("'" + pyvalue.TypeName(v) + "' object is not iterable")
}

// contents are the elements of another container, or the keys of a dict.
func contents(s *store.Store, ref pyvalue.Ref) (items []store.Item, ok bool, err error) {
	o, _ := s.Object(ref.ID)
	items, err = s.Carry(ref.ID, func() (items []store.Item) {
		ok = true
		switch o := o.(type) {
		case *list:
			items = o.snapshot()
		case *dict:
			items, _ = o.snapshot()
		case *set:
			items, _ = o.snapshot()
		case *array:
			items = o.snapshot()
		default:
			ok = false
		}
		return items
	})
	return items, ok, err
}

// elements is items for what is no reference.
func (l *loops) elements(v pyvalue.Value) ([]pyvalue.Value, error) {
	switch v := v.(type) {
	case pyvalue.Tuple:
		return v, nil
	case *pyvalue.List:
		return v.Items, nil
	case *pyvalue.Set:
		return v.Items, nil
	case *pyvalue.FrozenSet:
		return v.Items, nil
	case *pyvalue.Dict:
		return keysOf(v.Entries), nil
	case string:
		return characters(v), nil
	case []byte:
		return bytesAsInts(v), nil
	case *pyvalue.ByteArray:
		return bytesAsInts(v.B), nil
	case pyvalue.Range:
		return rangeItems(v)
	case *pyvalue.Object:
		return l.ofObject(v)
	}
	return nil, notIterable(v)
}

func keysOf(entries []pyvalue.Entry) []pyvalue.Value {
	keys := make([]pyvalue.Value, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	return keys
}

func bytesAsInts(b []byte) []pyvalue.Value {
	out := make([]pyvalue.Value, len(b))
	for i, x := range b {
		out[i] = int64(x)
	}
	return out
}

// characters cuts a text as Python does: a lone surrogate, which is three bytes
// that are no UTF-8, is one of them.
func characters(s string) []pyvalue.Value {
	s = pyvalue.WTF8(s)
	out := make([]pyvalue.Value, 0, len(s))
	for i := 0; i < len(s); {
		n := 1
		for i+n < len(s) && s[i+n]&0xc0 == 0x80 {
			n++
		}
		if n == 1 && s[i] < 0x80 {
			out = append(out, ascii[s[i]])
		} else {
			out = append(out, strings.Clone(s[i:i+n])) // each may be kept without the text
		}
		i += n
	}
	return out
}

// ascii are the texts of one character that most texts consist of: each is there
// once.
var ascii = func() (all [0x80]pyvalue.Value) {
	for i := range all {
		all[i] = string(rune(i))
	}
	return all
}()

// ofObject knows the objects that Python makes of its iterators, arrays,
// and subclasses of list and dict.
func (l *loops) ofObject(o *pyvalue.Object) ([]pyvalue.Value, error) {
	class, _ := o.Func.(pyvalue.Global)
	args, _ := o.Args.(pyvalue.Tuple)
	switch {
	case class == arrayClass && len(args) == 2:
		return arrayElements(args)
	case (class == iterClass || class == reversedClass) && len(args) == 1:
		items, err := l.elements(args[0])
		if err == nil {
			err = l.spend(len(items))
		}
		if err != nil {
			return nil, err
		}
		return rest(items, o, class == reversedClass), nil
	case len(o.Items) > 0:
		return o.Items, nil
	case len(o.Entries) > 0:
		return keysOf(o.Entries), nil
	case class.Module == "collections":
		return nil, nil // an empty deque or OrderedDict
	}
	return nil, notIterable(o)
}

var (
	iterClass     = pyvalue.Global{Module: "builtins", Name: "iter"}
	reversedClass = pyvalue.Global{Module: "builtins", Name: "reversed"}
	listClassName = pyvalue.Global{Module: "builtins", Name: "list"}
)

// rest is what an iterator, whose state is its next index, has not yielded.
func rest(items []pyvalue.Value, o *pyvalue.Object, backwards bool) []pyvalue.Value {
	next, given := pyvalue.Saturated(o.State)
	if backwards {
		if !given {
			next = len(items) - 1
		}
		out := slices.Clone(items[:min(max(next+1, 0), len(items))])
		slices.Reverse(out)
		return out
	}
	return items[min(max(next, 0), len(items)):]
}

// reversedOf is how Python pickles the iterator reversed(list).
func reversedOf(items []store.Item) store.Item {
	return store.Of(&pyvalue.Object{
		Func: reversedClass, Args: pyvalue.Tuple{&pyvalue.List{Items: values(items)}},
		State: int64(len(items) - 1), HasState: true,
	})
}

// iteratorOf is how Python pickles an iterator over a set, or a dict's keys
// backwards.
func iteratorOf(items []store.Item) store.Item {
	return store.Of(&pyvalue.Object{Func: iterClass, Args: pyvalue.Tuple{&pyvalue.List{Items: values(items)}}})
}

// viewOf is how a manager pickles the view of a dict: as list([...]).
func viewOf(c *store.Call, items []store.Item) (store.Item, error) {
	if err := spend(c, copyCost(c, items)); err != nil {
		return none, err
	}
	if !c.Python {
		return store.Array(items...), nil
	}
	return store.Of(&pyvalue.Object{Func: listClassName, Args: pyvalue.Tuple{&pyvalue.List{Items: values(items)}}}), nil
}
