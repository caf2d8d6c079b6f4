package objects

import (
	"fmt"
	"slices"
	"strings"

	"multiproc/internal/budget"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// array is Python's array.array behind the methods that managers expose: its
// length does not change but by slices.
type array struct {
	code *arrayCode

	guarded // guards all of the following
	account
	b []byte // the elements, as this machine lays them out
}

var arrayClass = pyvalue.Global{Module: "array", Name: "array"}

func arrayType() *store.Type {
	return &store.Type{ID: "Array", Proxy: "ArrayProxy", Exposed: []string{"__len__", "__getitem__", "__setitem__"}, New: newArray}
}

func newArray(s *store.Store, args store.Args) (store.Object, error) {
	a, err := bindArgs("Array", args, "typecode", "sequence", "lock?")
	if err != nil {
		return nil, err
	}
	code, err := codeOf(a[0].Value())
	if err != nil {
		return nil, err
	}
	b, err := initial(s, args.Loan, code, a[1])
	if err != nil {
		return nil, err
	}
	o := &array{code: code, account: accountOf(s, args), b: b}
	if err := o.charge(valueCost + len(b)); err != nil {
		return nil, err
	}
	return o, nil
}

// initial are the elements of a new array: bytes are taken as they are, but
// for the elements of anything else.
func initial(s *store.Store, loan *budget.Loan, code *arrayCode, it store.Item) ([]byte, error) {
	switch v := it.Value().(type) {
	case string:
		if code.name != 'u' && code.name != 'w' {
			return nil, pyvalue.TypeError(fmt.Sprintf("cannot use a str to initialize an array with typecode '%c'", code.name))
		}
	case []byte:
		return rawElements(code, v)
	case *pyvalue.ByteArray:
		return rawElements(code, v.B)
	}
	items, err := iterate(s, loan, it)
	if err != nil {
		return nil, err
	}
	return code.encodeAll(items)
}

func rawElements(code *arrayCode, b []byte) ([]byte, error) {
	if len(b)%code.width != 0 {
		return nil, pyvalue.ValueError("bytes length not a multiple of item size")
	}
	return slices.Clone(b), code.check(b)
}

var arrayMethods = class[*array]{"array.array", map[string]method[*array]{
	"__len__":     {slot(0), (*array).pyLen},
	"__getitem__": {slot(1), (*array).pyGetItem},
	"__setitem__": {unpacked(2), (*array).pySetItem},
}}

// Call implements store.Object.
func (o *array) Call(c *store.Call) { arrayMethods.call(o, c) }

// n is the number of elements; the mutex is held.
func (o *array) n() int { return len(o.b) / o.code.width }

// cell is where element i is.
func (o *array) cell(i int) []byte { return o.b[i*o.code.width:][:o.code.width] }

func (o *array) snapshot() []store.Item { return o.head(maxInt) }

// head are the first n elements.
func (o *array) head(n int) []store.Item {
	o.mu.Lock()
	b := slices.Clone(o.b[:min(n, o.n())*o.code.width])
	o.mu.Unlock()
	items := make([]store.Item, 0, len(b)/o.code.width)
	for cell := range slices.Chunk(b, o.code.width) {
		items = append(items, store.Of(o.code.load(cell)))
	}
	return items
}

func (o *array) pyLen(*store.Call, []store.Item) (store.Item, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return intItem(o.n()), nil
}

var errArrayIndex = pyvalue.TypeError("array indices must be integers")

func (o *array) pyGetItem(c *store.Call, a []store.Item) (store.Item, error) {
	key := a[0].Value()
	o.mu.Lock()
	defer o.mu.Unlock()
	if v, ok := key.(pyvalue.Slice); ok {
		s, err := v.Span(o.n())
		if err != nil {
			return none, err
		}
		var b []byte
		for i := range s.N {
			b = append(b, o.cell(s.At(i))...)
		}
		return o.code.pickled(b), nil
	}
	i, ok, err := pyvalue.Position(key, o.n(), "array index out of range")
	if !ok {
		err = errArrayIndex
	}
	if err != nil {
		return none, err
	}
	return store.Of(o.code.load(o.cell(i))), nil
}

func (o *array) pySetItem(c *store.Call, a []store.Item) (store.Item, error) {
	key, v := a[0].Value(), a[1].Value()
	if s, ok := key.(pyvalue.Slice); ok {
		return none, o.setSlice(s, v)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	i, ok, err := pyvalue.Position(key, o.n(), "array assignment index out of range")
	if !ok {
		err = errArrayIndex
	}
	if err != nil {
		return none, err
	}
	cell, err := o.code.append(nil, v)
	if err == nil {
		copy(o.cell(i), cell)
	}
	return none, err
}

// setSlice puts the elements of another array of the same code in the place of
// a slice.
func (o *array) setSlice(v pyvalue.Slice, from pyvalue.Value) error {
	if _, err := v.Span(0); err != nil {
		return err
	}
	code, b, ok := o.operand(from)
	switch {
	case !ok:
		return pyvalue.TypeError(`can only assign array (not "` + pyvalue.TypeName(from) + `") to array slice`)
	case code != o.code.name:
		return pyvalue.TypeError("bad argument type for built-in operation")
	}
	if err := o.code.check(b); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	s, err := v.Span(o.n())
	if err != nil {
		return err
	}
	w := o.code.width
	if i, j, ok := s.Whole(); ok {
		i, j = i*w, j*w
		if err := o.charge(len(b) - (j - i)); err != nil {
			return err
		}
		o.b = slices.Replace(o.b, i, j, b...)
		return nil
	}
	if len(b) != s.N*w {
		return pyvalue.ValueError(fmt.Sprintf("attempt to assign array of size %d to extended slice of size %d", len(b)/w, s.N))
	}
	for i := range s.N {
		copy(o.cell(s.At(i)), b[i*w:])
	}
	return nil
}

// operand is an array, plain or shared.
func (o *array) operand(v pyvalue.Value) (code byte, b []byte, ok bool) {
	switch v := v.(type) {
	case *pyvalue.Object:
		args, _ := v.Args.(pyvalue.Tuple)
		if v.Func == arrayClass && len(args) == 2 {
			if c, err := codeOf(args[0]); err == nil {
				raw, ok := args[1].([]byte)
				return c.name, raw, ok && len(raw)%c.width == 0
			}
		}
	case pyvalue.Ref:
		if other, _ := o.store.Object(v.ID); other != nil {
			if a, ok := other.(*array); ok {
				a.mu.Lock()
				defer a.mu.Unlock()
				return a.code.name, slices.Clone(a.b), true
			}
		}
	}
	return 0, nil, false
}

// Refs implements store.Object: there are only numbers and characters.
func (o *array) Refs(func(uint64) bool) {}

// Cost implements store.Costly.
func (o *array) Cost(text bool) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !text {
		return len(o.b)
	}
	return (itemCost+3*24)*o.n() + len(o.b)
}

// Repr implements store.Object.
func (o *array) Repr() string { return o.ReprWithin(maxInt) }

// ReprWithin implements store.Abridged.
func (o *array) ReprWithin(n int) string {
	head := fmt.Sprintf("array('%c'", o.code.name)
	elements := values(o.head(n))
	switch {
	case len(elements) == 0:
		return head + ")"
	case o.code.text:
		var b strings.Builder
		for _, v := range elements {
			b.WriteString(v.(string))
		}
		return head + ", " + pyvalue.Repr(b.String()) + ")"
	}
	return head + ", " + pyvalue.Repr(&pyvalue.List{Items: elements}) + ")"
}

// Snapshot implements store.Object.
func (o *array) Snapshot() (store.Item, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.code.pickled(slices.Clone(o.b)), true
}

// Dispose implements store.Object.
func (o *array) Dispose() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.close()
}
