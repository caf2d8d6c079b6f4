package data

import "bytes"

// Equal reports whether a == b in Python: 1, 1.0 and True are equal, NaN equals
// nothing, dicts and sets have no order. Values that contain themselves are
// equal if no difference can be reached. What cannot be compared, or is nested
// more than MaxDepth deep, is not equal.
//
// The cost grows with the memory that the values occupy, not with what they
// would be if every shared part were written out.
func Equal(a, b Value) bool {
	switch a := a.(type) { // those that need no bookkeeping
	case string:
		if b, ok := b.(string); ok {
			return equalText(a, b)
		}
		return false
	case int64:
		if b, ok := b.(int64); ok {
			return a == b
		}
	}
	c := comparer{}
	return c.equal(a, b, 0)
}

func equalText(a, b string) bool { return a == b || WTF8(a) == WTF8(b) }

// comparer walks through two values side by side.
type comparer struct {
	// classes says which containers were assumed to be equal, as a forest: two
	// are if their roots are the same. The assumption is right unless a
	// difference is found, and then everything is different anyway. It ends
	// cycles, and each container is assumed to be equal to another one only once.
	classes map[ID]ID
	steps   int

	// After equal has returned false x and y are the innermost parts of lists and
	// tuples that differ: those decide about the order.
	x, y  Value
	found bool
	order bool // look at all elements before the lengths
}

// assumeAfter is after how many containers the bookkeeping starts; small values
// do without.
const assumeAfter = 64

func (c *comparer) equal(a, b Value, depth int) bool {
	if depth <= MaxDepth && c.same(a, b, depth) {
		return true
	}
	if !c.found || !bothSequences(a, b) {
		c.found, c.x, c.y = true, a, b
	}
	return false
}

// bothSequences reports whether the order of a and b is that of their first
// elements that differ.
func bothSequences(a, b Value) bool {
	switch a.(type) {
	case *List:
		_, ok := b.(*List)
		return ok
	case Tuple:
		_, ok := b.(Tuple)
		return ok
	case Slice:
		_, ok := b.(Slice)
		return ok
	}
	return false
}

func (c *comparer) same(a, b Value, depth int) bool {
	if ida, ok := Identity(a); ok {
		if idb, ok := Identity(b); ok && (ida == idb || c.assumed(ida, idb)) {
			return true
		}
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool, int64, float64:
		return c.sameNumber(a, b)
	case string:
		b, ok := b.(string)
		return ok && equalText(a, b)
	case Tuple:
		b, ok := b.(Tuple)
		return ok && c.items(a, b, depth)
	case *List:
		b, ok := b.(*List)
		return ok && c.items(a.Items, b.Items, depth)
	case *Dict:
		b, ok := b.(*Dict)
		return ok && c.dicts(a.Entries, b.Entries, depth)
	case Global:
		b, ok := b.(Global)
		return ok && a == b
	case Ref:
		b, ok := b.(Ref)
		return ok && a.ID == b.ID
	case Slice:
		b, ok := b.(Slice)
		return ok && c.items(Tuple{a.Start, a.Stop, a.Step}, Tuple{b.Start, b.Stop, b.Step}, depth)
	case Range:
		b, ok := b.(Range)
		return ok && c.items(canonicalRange(a), canonicalRange(b), depth)
	case *Object:
		b, ok := b.(*Object)
		return ok && c.objects(a, b, depth)
	case *Exception:
		b, ok := b.(*Exception)
		return ok && a.Class == b.Class && c.items(a.Args, b.Args, depth)
	}
	return c.sameOther(a, b)
}

// sameOther compares what equals values of several types.
func (c *comparer) sameOther(a, b Value) bool {
	if x, ok := bytesOf(a); ok {
		y, ok := bytesOf(b)
		return ok && bytes.Equal(x, y)
	}
	if x, ok := setOf(a); ok {
		y, ok := setOf(b)
		return ok && len(x) == len(y) && subset(x, y)
	}
	return c.sameNumber(a, b)
}

func (c *comparer) sameNumber(a, b Value) bool {
	a, okA := realPart(a)
	b, okB := realPart(b)
	if !okA || !okB {
		x, isComplex := a.(complex128)
		return isComplex && x == b
	}
	m, okA := numberOf(a)
	n, okB := numberOf(b)
	if !okA || !okB {
		return false
	}
	order, ordered := compareNumbers(m, n)
	return ordered && order == 0
}

// realPart takes the imaginary part off a complex number if that is 0; ok is
// false if it is not.
func realPart(v Value) (Value, bool) {
	if c, ok := v.(complex128); ok {
		if imag(c) != 0 {
			return v, false
		}
		return real(c), true
	}
	return v, true
}

// assumed reports whether the two were assumed to be equal already, and assumes
// it.
func (c *comparer) assumed(a, b ID) bool {
	if c.steps++; c.steps < assumeAfter {
		return false
	}
	if c.classes == nil {
		c.classes = map[ID]ID{}
	}
	a, b = c.root(a), c.root(b)
	if a == b {
		return true
	}
	c.classes[a] = b
	return false
}

func (c *comparer) root(id ID) ID {
	for {
		up, ok := c.classes[id]
		if !ok {
			return id
		}
		if upper, ok := c.classes[up]; ok { // halve the way for the next time
			c.classes[id] = upper
		}
		id = up
	}
}

// items compares elements; in search of an order it does so before it looks at
// how many there are, as Python's < does.
func (c *comparer) items(a, b []Value, depth int) bool {
	if !c.order && len(a) != len(b) {
		return false
	}
	for i := range min(len(a), len(b)) {
		if !c.equal(a[i], b[i], depth+1) {
			return false
		}
	}
	return len(a) == len(b)
}

func (c *comparer) objects(a, b *Object, depth int) bool {
	return a.New == b.New && a.HasState == b.HasState &&
		c.equal(a.Func, b.Func, depth+1) && c.equal(a.Args, b.Args, depth+1) &&
		c.equal(a.Kwargs, b.Kwargs, depth+1) && c.equal(a.State, b.State, depth+1) &&
		c.items(a.Items, b.Items, depth) && c.entries(a.Entries, b.Entries, depth)
}

// entries compares what was set in objects, in its order: what their classes
// take for a key is not known.
func (c *comparer) entries(a, b []Entry, depth int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !c.equal(a[i].Key, b[i].Key, depth+1) || !c.equal(a[i].Value, b[i].Value, depth+1) {
			return false
		}
	}
	return true
}

// dicts compares entries by their keys. Most dicts that are compared have their
// keys in the same order, and then no index is made.
func (c *comparer) dicts(a, b []Entry, depth int) bool {
	if len(a) != len(b) {
		return false
	}
	var index map[string]Value
	for i := range a {
		value, ok := b[i].Value, sameText(a[i].Key, b[i].Key)
		if !ok {
			if index == nil {
				index = indexOf(b)
			}
			key, err := Key(a[i].Key)
			if value, ok = index[key]; err != nil || !ok {
				return false
			}
		}
		if !c.equal(a[i].Value, value, depth+1) {
			return false
		}
	}
	return true
}

func sameText(a, b Value) bool {
	x, ok := a.(string)
	y, both := b.(string)
	return ok && both && x == y
}

// indexOf returns the values of a dict by their keys' keys.
func indexOf(entries []Entry) map[string]Value {
	index := make(map[string]Value, len(entries))
	for _, e := range entries {
		if key, err := Key(e.Key); err == nil {
			index[key] = e.Value
		}
	}
	return index
}

// subset reports whether all items of a set are in another one.
func subset(a, b []Value) bool {
	if len(a) > len(b) {
		return false
	}
	index := make(map[string]struct{}, len(b))
	for _, v := range b {
		if key, err := Key(v); err == nil {
			index[key] = struct{}{}
		}
	}
	for _, v := range a {
		key, err := Key(v)
		if _, ok := index[key]; err != nil || !ok {
			return false
		}
	}
	return true
}

func bytesOf(v Value) ([]byte, bool) {
	switch v := v.(type) {
	case []byte:
		return v, true
	case *ByteArray:
		return v.B, true
	}
	return nil, false
}

func setOf(v Value) ([]Value, bool) {
	switch v := v.(type) {
	case *Set:
		return v.Items, true
	case *FrozenSet:
		return v.Items, true
	}
	return nil, false
}
