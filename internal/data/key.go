package data

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"unsafe"
)

// Tags of the encoding of keys that are not CBOR's own. Only this package
// reads them.
const (
	tagBadText   = 8 // text that is not UTF-8, as package portable writes it
	tagComplex   = 43000
	tagTuple     = 43101
	tagFrozenSet = 43102
	tagRange     = 43103
	tagGlobal    = 43104
	tagRef       = 43105
	tagObject    = 43106
	tagMutable   = 43107 // lists, dicts and the like inside of objects
)

// maxKey bounds the length of the key of a container. A tuple of a few hundred
// bytes may hold so many references to its own parts that its key would fill any
// memory.
const maxKey = 4 << 20

// Key returns the hash key of v: two values have the same key if and only if
// they are equal in Python's eyes. The key of a text, of bytes and of an
// integer is its deterministic CBOR encoding. What cannot be hashed is an
// *Exception: a TypeError with CPython's text. NaN has one key, so that an entry
// for it can be found again. A key of more than 4 MiB is a ValueError, unless it
// is that of one text or of bytes.
//
// An Object is keyed by what it was made of, for its class is not known.
func Key(v Value) (string, error) {
	switch v.(type) {
	case string, []byte:
		return KeyWithin(v, math.MaxInt)
	}
	return KeyWithin(v, maxKey)
}

// KeyWithin is Key with a bound on the length of the key, and on the work;
// beyond it the result is a ValueError.
func KeyWithin(v Value, limit int) (string, error) {
	var short [64]byte
	b, err := appendKey(short[:0], v, limit)
	return string(b), err
}

func appendKey(dst []byte, v Value, limit int) ([]byte, error) {
	k := keyer{dst: dst, limit: limit}
	if err := k.add(v, 0); err != nil {
		return nil, err
	}
	return k.dst, nil
}

// LocalKey is KeyWithin for keys that stand together in one set or dict, which
// has no two that are equal. An Object is told from another one by what it is and
// not by what it looks like, for its class may do so, unless that is one of module
// datetime; and alone says that v is
// equal to nothing, since it is NaN or holds it.
func LocalKey(v Value, limit int) (key string, alone bool, err error) {
	var short [64]byte
	k := keyer{dst: short[:0], limit: limit, local: true}
	err = k.add(v, 0)
	return string(k.dst), k.alone, err
}

// isTime reports whether two objects of the class of v are equal that look alike:
// of times, Go programs may have made two of one.
func isTime(v *Object) bool {
	g, ok := v.Func.(Global)
	return ok && g.Module == "datetime"
}

type keyer struct {
	dst   []byte
	limit int
	loose bool // inside of an object, what cannot be hashed counts by its contents
	local bool // objects and NaN count by their identity
	alone bool // there was NaN, with local
}

func (k *keyer) add(v Value, depth int) error {
	if depth > MaxDepth {
		return errDeep()
	}
	switch v := v.(type) {
	case string:
		k.text(v)
	case int64, bool:
		z, _ := Int(v)
		k.integer(z)
	case *big.Int:
		k.bigInteger(v)
	case float64:
		k.float(v)
	case complex128:
		k.complex(v)
	case nil:
		k.dst = append(k.dst, 0xf6)
	case []byte:
		k.head(2, uint64(len(v)))
		k.dst = append(k.dst, v...)
	default:
		if err := k.container(v, depth); err != nil {
			return err
		}
	}
	if len(k.dst) > k.limit {
		return ValueError("key is too large")
	}
	return nil
}

func (k *keyer) container(v Value, depth int) error {
	switch v := v.(type) {
	case Tuple:
		return k.sequence(tagTuple, v, depth)
	case *FrozenSet:
		return k.set(v.Items, depth)
	case Range:
		return k.sequence(tagRange, canonicalRange(v), depth)
	case Global:
		return k.sequence(tagGlobal, Tuple{v.Module, v.Name}, depth)
	case Ref:
		return k.sequence(tagRef, Tuple{Uint(v.ID)}, depth)
	case *Exception:
		return k.sequence(tagObject, Tuple{v.Class, v.Args}, depth)
	case *Object:
		if k.local && !isTime(v) {
			k.head(6, tagObject)
			k.head(0, uint64(uintptr(unsafe.Pointer(v))))
			return nil
		}
		was := k.loose
		k.loose = true
		defer func() { k.loose = was }()
		return k.sequence(tagObject, Tuple{
			v.Func, v.Args, v.Kwargs, v.New, v.HasState, v.State, &List{v.Items}, &List{flat(v.Entries)},
		}, depth)
	}
	if !k.loose {
		return TypeError("unhashable type: '" + TypeName(v) + "'")
	}
	switch v := v.(type) {
	case *List:
		return k.sequence(tagMutable, append(Tuple{"list"}, v.Items...), depth)
	case *Dict:
		return k.dict(v, depth)
	case *Set:
		return k.set(v.Items, depth)
	case Slice:
		return k.sequence(tagMutable, Tuple{"slice", v.Start, v.Stop, v.Step}, depth)
	case *ByteArray:
		return k.add(v.B, depth)
	}
	return TypeError("unhashable type: '" + TypeName(v) + "'")
}

// flat returns keys and values in turns.
func flat(entries []Entry) []Value {
	out := make([]Value, 0, 2*len(entries))
	for _, e := range entries {
		out = append(out, e.Key, e.Value)
	}
	return out
}

// sequence adds tagged items in their order.
func (k *keyer) sequence(tag uint64, items Tuple, depth int) error {
	k.head(6, tag)
	k.head(4, uint64(len(items)))
	for _, it := range items {
		if err := k.add(it, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// set adds items in the order of their keys.
func (k *keyer) set(items []Value, depth int) error {
	return k.sorted(tagFrozenSet, len(items), func(i int) error { return k.add(items[i], depth+1) })
}

func (k *keyer) dict(d *Dict, depth int) error {
	return k.sorted(tagMutable, len(d.Entries), func(i int) error {
		if err := k.add(d.Entries[i].Key, depth+1); err != nil {
			return err
		}
		return k.add(d.Entries[i].Value, depth+1)
	})
}

// sorted adds n parts in the order of their bytes; add adds part i.
func (k *keyer) sorted(tag uint64, n int, add func(i int) error) error {
	k.head(6, tag)
	k.head(4, uint64(n))
	begin := len(k.dst)
	ends := make([]int, n)
	for i := range n {
		if err := add(i); err != nil {
			return err
		}
		ends[i] = len(k.dst)
	}
	parts := make([]string, n)
	for i, at := 0, begin; i < n; i++ {
		parts[i] = string(k.dst[at:ends[i]])
		at = ends[i]
	}
	slices.Sort(parts)
	k.dst = k.dst[:begin]
	for _, p := range parts {
		k.dst = append(k.dst, p...)
	}
	return nil
}

func (k *keyer) text(s string) {
	if w := WTF8(s); !validText(w) {
		s = w
		k.head(6, tagBadText)
		k.head(2, uint64(len(s)))
	} else {
		k.head(3, uint64(len(s)))
	}
	k.dst = append(k.dst, s...)
}

func (k *keyer) integer(z int64) {
	if z < 0 {
		k.head(1, uint64(^z))
		return
	}
	k.head(0, uint64(z))
}

// bigInteger writes integers of 64 bits and a sign in CBOR's short form.
func (k *keyer) bigInteger(x *big.Int) {
	major, tag := byte(0), uint64(2)
	if x.Sign() < 0 {
		x = new(big.Int).Not(x)
		major, tag = 1, 3
	}
	if x.IsUint64() {
		k.head(major, x.Uint64())
		return
	}
	k.head(6, tag)
	k.head(2, uint64((x.BitLen()+7)/8))
	k.dst = append(k.dst, x.Bytes()...)
}

func (k *keyer) float(f float64) {
	if z, wide, ok := (number{f: f, isFloat: true}).integral(); ok {
		if wide != nil {
			k.bigInteger(wide)
		} else {
			k.integer(z)
		}
		return
	}
	if f != f {
		f = math.NaN()
		k.alone = k.local
	}
	k.dst = append(k.dst, 0xfb)
	k.dst = binary.BigEndian.AppendUint64(k.dst, math.Float64bits(f))
}

func (k *keyer) complex(c complex128) {
	if imag(c) == 0 {
		k.float(real(c))
		return
	}
	k.head(6, tagComplex)
	k.head(4, 2)
	k.float(real(c))
	k.float(imag(c))
}

// head appends the shortest head of a CBOR item.
func (k *keyer) head(major byte, n uint64) {
	major <<= 5
	switch {
	case n < 24:
		k.dst = append(k.dst, major|byte(n))
	case n <= math.MaxUint8:
		k.dst = append(k.dst, major|24, byte(n))
	case n <= math.MaxUint16:
		k.dst = binary.BigEndian.AppendUint16(append(k.dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		k.dst = binary.BigEndian.AppendUint32(append(k.dst, major|26), uint32(n))
	default:
		k.dst = binary.BigEndian.AppendUint64(append(k.dst, major|27), n)
	}
}

// canonicalRange returns what decides whether two ranges are equal: their
// elements.
func canonicalRange(r Range) Tuple {
	start, stop, step, ok := r.bounds()
	if !ok {
		return Tuple{r.Start, r.Stop, r.Step}
	}
	n := rangeLen(start, stop, step)
	switch {
	case n.Sign() == 0:
		return Tuple{int64(0)}
	case n.Cmp(big.NewInt(1)) == 0:
		return Tuple{int64(1), Norm(start)}
	}
	return Tuple{Norm(n), Norm(start), Norm(step)}
}

// bounds returns the parts of a range if they are integers.
func (r Range) bounds() (start, stop, step *big.Int, ok bool) {
	var parts [3]*big.Int
	for i, v := range []Value{r.Start, r.Stop, r.Step} {
		n, isNumber := numberOf(v)
		if !isNumber || n.isFloat {
			return nil, nil, nil, false
		}
		parts[i] = n.big()
	}
	return parts[0], parts[1], parts[2], parts[2].Sign() != 0
}

// rangeLen is how many elements a range has; step is not 0.
func rangeLen(start, stop, step *big.Int) *big.Int {
	span := new(big.Int).Sub(stop, start)
	if span.Sign() != step.Sign() {
		return new(big.Int)
	}
	span.Add(span, step)
	span.Sub(span, big.NewInt(int64(step.Sign())))
	return span.Quo(span, step)
}
