package store

import (
	"bytes"
	"errors"
	"math"
	"unsafe"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
)

// Item is a value as it came: CBOR from a Go client, a tree from a Python
// client. It is translated when somebody needs the other form, and never
// changes. The zero Item is None. Items are small and copied freely.
type Item struct {
	raw  []byte        // CBOR, well formed and within limits; or
	val  pyvalue.Value // a tree
	size uint32        // of the tree, by estimate; 0: of CBOR it is not known yet
	cbor bool
	refs bool // it may contain references
}

// overhead is what an item costs its container beside its own bytes.
const overhead = 72

// tagRefByte begins a reference in CBOR. It may stand in a text too: then an
// item is searched for references that are not there.
const tagRefByte = 0xc0 | 6

// Raw returns the item whose CBOR was checked with interchange.Check. It keeps
// the slice, which must not change any more, and all of the memory that it is
// a part of.
func Raw(cbor []byte) Item {
	return Item{raw: cbor, cbor: true, refs: bytes.IndexByte(cbor, tagRefByte) >= 0}
}

// Measured is Raw for CBOR of which interchange.Measure has said how much memory its
// tree takes.
func Measured(cbor []byte, tree int) Item {
	it := Raw(cbor)
	it.size = clip(tree)
	return it
}

// Own returns the item in memory of its own, if it came as CBOR: what is kept
// must not keep alive what came with it.
func (it Item) Own() Item {
	if it.cbor {
		it.raw = append(make([]byte, 0, len(it.raw)), it.raw...)
	}
	return it
}

// Tree is how much memory Value takes, by estimate: what it allocates, of an item
// that came as CBOR, or what the tree is.
func (it Item) Tree() int {
	if !it.cbor || it.size > 0 {
		return int(it.size)
	}
	if len(it.raw) <= 64 {
		return perByte * len(it.raw)
	}
	return interchange.Measure(it.raw)
}

// Is reports whether two items are the same memory.
func (it Item) Is(other Item) bool {
	if it.cbor || other.cbor {
		return it.cbor && other.cbor && len(it.raw) == len(other.raw) && unsafe.SliceData(it.raw) == unsafe.SliceData(other.raw)
	}
	id, ok := pyvalue.Identity(it.val)
	same, both := pyvalue.Identity(other.val)
	return ok && both && id == same
}

// MayRefer reports whether Refs may yield something.
func (it Item) MayRefer() bool { return it.refs }

// Wire is about how long the item is in CBOR.
func (it Item) Wire() int {
	if it.cbor {
		return len(it.raw)
	}
	return int(it.size)
}

// perByte is what a byte of CBOR can become at most, nearly.
const perByte = 96

// Of returns the item of a tree, which must not change any more. It costs a
// walk over the tree.
func Of(v pyvalue.Value) Item {
	it, _ := weigh(v)
	return it
}

// weigh is Of, and says how many values there are in the tree.
func weigh(v pyvalue.Value) (it Item, n int) {
	switch v := v.(type) {
	case nil, bool, int64, float64:
		return Item{val: v, size: 16}, 1
	case string:
		return Item{val: v, size: clip(16 + len(v))}, 1
	case []byte:
		return Item{val: v, size: clip(24 + len(v))}, 1
	}
	size, n, refs := pyvalue.Weigh(v)
	return Item{val: v, size: clip(size), refs: refs}, n
}

func clip(n int) uint32 { return uint32(min(n, math.MaxUint32)) }

// CBOR returns the bytes of an item that came as CBOR. They must not be
// changed.
func (it Item) CBOR() (raw []byte, ok bool) { return it.raw, it.cbor }

// Value returns the item as a tree, which must not be changed. CBOR is parsed
// each time.
func (it Item) Value() pyvalue.Value {
	if !it.cbor {
		return it.val
	}
	v, err := interchange.ParseValue(it.raw)
	if err != nil {
		return nil // cannot be: it was checked
	}
	return v
}

// IsNone reports whether the item is None, without parsing it.
func (it Item) IsNone() bool {
	if it.cbor {
		return len(it.raw) == 1 && it.raw[0] == 0xf6
	}
	return it.val == nil
}

// AppendCBOR appends the item as CBOR, or null if it has no form in CBOR; see
// EncodeCBOR.
func (it Item) AppendCBOR(dst []byte) []byte {
	b, err := it.EncodeCBOR(dst)
	if err != nil {
		return append(dst, 0xf6)
	}
	return b
}

// EncodeCBOR is AppendCBOR for those who want to know of values that have no
// form in CBOR, because they are nested too deeply. It appends nothing then.
func (it Item) EncodeCBOR(dst []byte) ([]byte, error) {
	if it.cbor {
		return append(dst, it.raw...), nil
	}
	b, err := interchange.AppendValue(dst, it.val)
	if err != nil {
		return dst, err
	}
	return b, nil
}

// Key returns what two items have in common if and only if Python says that
// they are equal, for use in maps. An item that is not hashable in Python is a
// TypeError. It is fast for texts, integers and bytes that came as CBOR: they
// are their own keys.
func (it Item) Key() (string, error) {
	if it.cbor {
		return interchange.Key(it.raw)
	}
	return pyvalue.Key(it.val)
}

// Keyed is Key for those who compare it with the keys of others of which there
// may be doubt, see pyvalue.Keyed.
func (it Item) Keyed() (pyvalue.Keyed, error) { return it.KeyedBy(nil) }

// KeyedBy is Keyed for many items that may share parts, all by one Keyer. For one
// item alone it is nil.
func (it Item) KeyedBy(keyer *pyvalue.Keyer) (pyvalue.Keyed, error) {
	if it.cbor {
		return interchange.Keyed(it.raw)
	}
	switch it.val.(type) {
	case string, []byte, int64:
		k, err := pyvalue.Key(it.val)
		return pyvalue.Keyed{Key: k}, err
	}
	if keyer == nil {
		keyer = &pyvalue.Keyer{}
	}
	return keyer.Keyed(it.val, pyvalue.MaxKeyWork)
}

// Refs yields the ids of the objects that the item refers to, one for each
// place in which a reference stands.
func (it Item) Refs(yield func(id uint64) bool) {
	switch {
	case !it.refs:
	case it.cbor:
		interchange.Refs(it.raw, yield)
	default:
		pyvalue.Refs(it.val, func(r pyvalue.Ref) bool { return yield(r.ID) })
	}
}

// Size is the memory that the item takes in a container, by estimate.
func (it Item) Size() int {
	if it.cbor {
		return len(it.raw) + overhead
	}
	return int(it.size) + overhead
}

// Equal is Python's ==. It parses only if it must.
func (it Item) Equal(other Item) bool {
	if it.cbor && other.cbor {
		if bytes.Equal(it.raw, other.raw) {
			return true
		}
		if plain(it.raw) && plain(other.raw) {
			return false // each has one form only
		}
	}
	return pyvalue.Equal(it.Value(), other.Value())
}

// plain reports whether an item is a text, or bytes, or an integer of 64 bits.
func plain(raw []byte) bool {
	return len(raw) > 0 && raw[0] < 0x80
}

var errNoSequence = errors.New("not a list")

// Items takes a list or a tuple apart.
func (it Item) Items() ([]Item, error) {
	if !it.cbor {
		var values []pyvalue.Value
		switch v := it.val.(type) {
		case *pyvalue.List:
			values = v.Items
		case pyvalue.Tuple:
			values = v
		default:
			return nil, errNoSequence
		}
		return OfAll(values)
	}
	return it.cut()
}

// Len is how many elements Items returns of an item that came as CBOR, if it is a
// list.
func (it Item) Len() int {
	n, _, ok := arrayHead(it.raw)
	if !ok {
		return 0
	}
	return int(min(n, uint64(len(it.raw))))
}

// cut takes an array apart. Its elements may share parts among each other: they
// do not stand alone then, and the whole is parsed. Each element of an array
// that was written element by element does stand alone.
func (it Item) cut() ([]Item, error) {
	n, rest, ok := arrayHead(it.raw)
	if !ok {
		return nil, errNoSequence
	}
	if n > uint64(len(rest)) {
		return nil, errNoSequence
	}
	items := make([]Item, n)
	for i := range items {
		var (
			raw []byte
			err error
		)
		if raw, rest, err = interchange.Next(rest); err != nil {
			return nil, err
		}
		if bytes.IndexByte(raw, tagSharedByte) >= 0 {
			if err := interchange.Check(raw, interchange.Limits{}); err != nil {
				return nil, err
			}
		}
		items[i] = Raw(raw)
	}
	return items, nil
}

// tagSharedByte is in the head of tag 29, which refers to another part.
const tagSharedByte = 29

// Array joins items to a list, of which each element stands alone: the form in
// which the methods for Go clients take and return many values at once.
func Array(items ...Item) Item {
	size := 16
	for _, it := range items {
		size += it.Wire()
	}
	raw := make([]byte, 0, size)
	raw = appendArrayHead(raw, uint64(len(items)))
	refs := false
	for _, it := range items {
		raw = it.AppendCBOR(raw)
		refs = refs || it.refs
	}
	return Item{raw: raw, cbor: true, refs: refs}
}

func arrayHead(b []byte) (n uint64, rest []byte, ok bool) {
	if len(b) == 0 || b[0]>>5 != 4 {
		return 0, nil, false
	}
	info, rest := b[0]&31, b[1:]
	if info < 24 {
		return uint64(info), rest, true
	}
	width := 1 << (info - 24)
	if info > 27 || len(rest) < width {
		return 0, nil, false
	}
	for _, x := range rest[:width] {
		n = n<<8 | uint64(x)
	}
	return n, rest[width:], true
}

func appendArrayHead(dst []byte, n uint64) []byte {
	const major = 4 << 5
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return append(dst, major|25, byte(n>>8), byte(n))
	}
	return append(dst, major|26, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}
