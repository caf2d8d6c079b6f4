package pyvalue

import "bytes"

// Equal reports whether a == b in Python: 1, 1.0, True and Decimal(1) are equal,
// NaN equals nothing, dicts and sets have no order. Values that contain
// themselves are equal if no difference can be reached. What cannot be compared,
// or is nested more than MaxDepth deep, is not equal, and so is what Same cannot
// tell.
func Equal(a, b Value) bool {
	ok, err := Same(a, b, nil)
	return ok && err == nil
}

// Same is Equal for those who want to know when it cannot be told whether two
// values are equal, since that depends on a class that is not known: the error
// is a TypeError then, see Undecided. It is a RuntimeError if there is not enough
// w, which may be nil.
//
// The cost grows with the memory that the values occupy, not with what they
// would be if every shared part were written out.
func Same(a, b Value, w *Work) (bool, error) {
	switch a := a.(type) { // those that need no bookkeeping
	case string:
		if b, ok := b.(string); ok {
			return equalText(a, b), nil
		}
	case int64:
		if b, ok := b.(int64); ok {
			return a == b, nil
		}
	}
	c := Comparer{Work: w}
	return c.Same(a, b)
}

func equalText(a, b string) bool { return a == b || WTF8(a) == WTF8(b) }

// Comparer compares many values with each other, and remembers what it found out
// about the second ones that are dicts and sets. One goroutine may use it.
type Comparer struct {
	Work *Work // nil: that of one comparison

	keys    Keyer
	indexes map[ID]*index
}

// Same is the function Same.
func (c *Comparer) Same(a, b Value) (bool, error) {
	c.begin()
	one := comparer{Comparer: c}
	same := one.equal(a, b, 0)
	switch {
	case one.err != nil:
		return false, one.err
	case same && one.doubt != nil:
		return false, Undecided(one.doubt)
	}
	return same, nil
}

// begin forgets what would be too much to keep.
func (c *Comparer) begin() {
	if c.Work == nil {
		c.Work = c.Work.orDefault()
	}
	if len(c.keys.memo) > maxKept {
		c.keys.memo = nil
	}
	if len(c.indexes) > maxKept {
		c.indexes = nil
	}
}

// maxKept bounds what a Comparer remembers from one comparison to the next.
const maxKept = 1 << 12

// comparer walks through two values side by side.
type comparer struct {
	*Comparer

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
	order bool // look at all elements before the lengths; objects are their values

	doubt *Object // one that was taken to be equal, and need not be
	err   error   // the comparison has failed
}

// assumeAfter is after how many containers the bookkeeping starts; small values
// do without.
const assumeAfter = 64

func (c *comparer) equal(a, b Value, depth int) bool {
	if c.err != nil {
		return false
	}
	if c.err = c.Work.Spend(1); c.err != nil {
		return false
	}
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
	a, b = ordered(a), ordered(b)
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
	if isObject(a) || isObject(b) {
		return c.sameObject(a, b, depth)
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool, int64, float64:
		return c.sameNumber(a, b)
	case string:
		b, ok := b.(string)
		c.spend(len(a))
		return ok && equalText(a, b)
	case Tuple:
		b, ok := b.(Tuple)
		return ok && c.items(a, b, depth)
	case *List:
		b, ok := b.(*List)
		return ok && c.items(a.Items, b.Items, depth)
	case *Dict:
		b, ok := b.(*Dict)
		return ok && c.dicts(a, b, depth)
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
	case moment:
		b, ok := b.(moment)
		return ok && a.equal(b)
	case *Exception:
		b, ok := b.(*Exception)
		return ok && a.Class == b.Class && c.items(a.Args, b.Args, depth)
	}
	return c.sameOther(a, b)
}

// spend takes the work of a comparison of so many bytes.
func (c *comparer) spend(bytes int) {
	if c.err == nil && bytes > 256 {
		c.err = c.Work.Spend(bytes / 256)
	}
}

// sameOther compares what equals values of several types.
func (c *comparer) sameOther(a, b Value) bool {
	if x, ok := bytesOf(a); ok {
		y, ok := bytesOf(b)
		c.spend(len(x))
		return ok && bytes.Equal(x, y)
	}
	if x, ok := setOf(a); ok {
		y, ok := setOf(b)
		return ok && c.sets(a, x, b, y)
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
	c.spend(m.size() + n.size())
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

// size is about the work of a comparison of a number, in bytes.
func (n number) size() int {
	switch {
	case n.kind == aFraction:
		return 64 * (4 + n.q.size())
	case n.wide != nil:
		return n.wide.BitLen() / 8
	}
	return 0
}
