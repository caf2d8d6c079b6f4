package pyvalue

import (
	"crypto/sha256"
	"math/big"
	"slices"
	"unsafe"

	"multiproc/internal/cbor"
)

// Tags of the encoding of keys that are not CBOR's own. Only this package
// reads them.
const (
	tagBadText   = 8 // text that is not UTF-8, as package interchange writes it
	tagComplex   = 43000
	tagTuple     = 43101
	tagFrozenSet = 43102
	tagRange     = 43103
	tagGlobal    = 43104
	tagRef       = 43105
	tagObject    = 43106
	tagMutable   = 43107 // lists, dicts and the like inside of objects
	tagDigest    = 43108 // the SHA-256 of a container's key that would be longer
	tagMoment    = 43109
	tagFraction  = 43110
)

// maxInline is the longest key of a container that is written out; of a longer
// one its digest counts. So keys are short and the work is linear in the values,
// also if parts are shared.
const maxInline = 64

// MaxKeyWork bounds the bytes that the key of a value in memory is made from.
const MaxKeyWork = 1 << 30

// Keyed is the key of a value: two have the same Key if and only if they are
// equal in Python's eyes. An Object of an unknown class may equal others too,
// see read. So two values with different Keys may be equal if their Coarse keys
// are the same, and there is Doubt about one of them.
type Keyed struct {
	Key    string
	Coarse string // empty: that is Key
	Doubt  bool
}

// CoarseKey is the coarse key.
func (k *Keyed) CoarseKey() string {
	if k.Coarse == "" {
		return k.Key
	}
	return k.Coarse
}

// Key returns the hash key of v, see Keyed. The key of a text, of bytes and of
// an integer is its deterministic CBOR encoding, and that of a container no
// longer than a few dozen bytes. What cannot be hashed is an *Exception: a
// TypeError with CPython's text. NaN has one key, so that an entry for it can be
// found again.
//
// An Object is keyed by what it is taken for, or else by what it was made of.
func Key(v Value) (string, error) { return KeyWithin(v, MaxKeyWork) }

// KeyWithin is Key with a bound on the work, which is at most the bytes of all
// that v consists of; beyond it the result is a ValueError.
func KeyWithin(v Value, limit int) (string, error) {
	var short [64]byte
	k := keyer{dst: short[:0], limit: limit}
	err := k.add(v, 0)
	return string(k.dst), err
}

// KeyOf is KeyWithin for a key that is compared with others of which there may
// be doubt.
func KeyOf(v Value, limit int) (Keyed, error) {
	k := Keyer{}
	return k.Keyed(v, limit)
}

// LocalKey is KeyWithin for keys that stand together in one set or dict, which
// has no two that are equal. An Object is told from another one by what it is and
// not by what it looks like, for its class may do so, unless that is one of module
// datetime; and alone says that v is
// equal to nothing, since it is NaN or holds it.
func LocalKey(v Value, limit int) (key string, alone bool, err error) {
	k := Keyer{}
	return k.Local(v, limit)
}

// Keyer makes the keys of values that share parts: it makes that of a part once.
// It keeps the values. The zero Keyer is ready for use, by one goroutine.
type Keyer struct {
	memo map[memoID]memo
}

// Keyed is KeyOf.
func (m *Keyer) Keyed(v Value, limit int) (Keyed, error) {
	var short [64]byte
	k := keyer{dst: short[:0], limit: limit, keyer: m}
	if err := k.add(v, 0); err != nil {
		return Keyed{}, err
	}
	keyed := Keyed{Key: string(k.dst), Doubt: k.doubt}
	if k.doubt || k.coarser {
		c := keyer{dst: short[:0], limit: limit, keyer: m, mode: coarseKey}
		if err := c.add(v, 0); err != nil {
			return Keyed{}, err
		}
		if coarse := string(c.dst); coarse != keyed.Key {
			keyed.Coarse = coarse
		}
	}
	return keyed, nil
}

// Local is LocalKey.
func (m *Keyer) Local(v Value, limit int) (key string, alone bool, err error) {
	var short [64]byte
	k := keyer{dst: short[:0], limit: limit, keyer: m, mode: localKey}
	err = k.add(v, 0)
	return string(k.dst), k.alone, err
}

// memoID is a part in one of the modes.
type memoID struct {
	ID
	mode  keyMode
	loose bool
}

// memo is what was found out about a part, which it keeps in its place.
type memo struct {
	part                  Value
	key                   string
	alone, doubt, coarser bool
}

type keyMode byte

const (
	strictKey keyMode = iota
	localKey          // objects and NaN count by their identity
	coarseKey
)

// isTime reports whether two objects of the class of v are equal that look alike:
// of times, Go programs may have made two of one.
func isTime(v *Object) bool {
	g, ok := v.Func.(Global)
	return ok && g.Module == "datetime"
}

type keyer struct {
	dst   []byte
	limit int // of the bytes of keys of parts
	keyer *Keyer
	mode  keyMode
	loose bool // inside of an object, what cannot be hashed counts by its contents

	alone   bool // there was NaN, with localKey
	doubt   bool // there was an object of which there is doubt
	coarser bool // the coarse key is another one
}

func (k *keyer) add(v Value, depth int) error {
	if depth > MaxDepth {
		return errDeep()
	}
	begin := len(k.dst)
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
		k.dst = append(k.dst, cbor.Null)
	case []byte:
		k.head(cbor.MajorBytes, uint64(len(v)))
		k.dst = append(k.dst, v...)
	default:
		if err := k.remembered(v, depth); err != nil {
			return err
		}
	}
	return k.spend(len(k.dst) - begin)
}

func (k *keyer) spend(bytes int) error {
	if k.limit -= bytes; k.limit < 0 {
		return ValueError("key is too large")
	}
	return nil
}

// remembered adds a container, or what was found out about it before. Small ones
// are not remembered.
func (k *keyer) remembered(v Value, depth int) error {
	id, ok := Identity(v)
	at := memoID{id, k.mode, k.loose}
	if ok && k.keyer != nil {
		if m, ok := k.keyer.memo[at]; ok {
			k.dst = append(k.dst, m.key...)
			k.alone, k.doubt, k.coarser = k.alone || m.alone, k.doubt || m.doubt, k.coarser || m.coarser
			return nil
		}
	}
	begin, was := len(k.dst), *k
	k.alone, k.doubt, k.coarser = false, false, false
	if err := k.container(v, depth); err != nil {
		return err
	}
	if len(k.dst)-begin > maxInline {
		digest := sha256.Sum256(k.dst[begin:])
		k.dst = k.dst[:begin]
		k.head(cbor.MajorTag, tagDigest)
		k.dst = append(k.dst, digest[:]...)
		if ok {
			if k.keyer == nil {
				k.keyer = &Keyer{}
			}
			if k.keyer.memo == nil {
				k.keyer.memo = map[memoID]memo{}
			}
			k.keyer.memo[at] = memo{v, string(k.dst[begin:]), k.alone, k.doubt, k.coarser}
		}
	}
	k.alone, k.doubt, k.coarser = k.alone || was.alone, k.doubt || was.doubt, k.coarser || was.coarser
	return nil
}

func (k *keyer) container(v Value, depth int) error {
	switch v := v.(type) {
	case Tuple:
		if len(v) == 1 && k.mode != localKey { // a namedtuple of one field?
			if k.coarser = true; k.mode == coarseKey {
				return k.add(v[0], depth+1)
			}
		}
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
	case moment:
		return k.sequence(tagMoment, v.key(), depth)
	case fraction:
		return k.fraction(v)
	case *Object:
		return k.object(v, depth)
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

func (k *keyer) object(o *Object, depth int) error {
	if k.mode == localKey && !isTime(o) {
		k.head(cbor.MajorTag, tagObject)
		k.head(cbor.MajorUint, uint64(uintptr(unsafe.Pointer(o))))
		return nil
	}
	if o.Func == Value(Global{"collections", "deque"}) && !k.loose {
		return TypeError("unhashable type: 'collections.deque'")
	}
	r := read(o)
	if r.lost {
		return lost(o)
	}
	k.doubt = k.doubt || r.doubt
	switch is := r.is.(type) {
	case *Object:
		if k.mode == coarseKey && r.doubt {
			return k.add(r.maybe, depth+1)
		}
		was := k.loose
		k.loose = true
		defer func() { k.loose = was }()
		return k.sequence(tagObject, Tuple{
			o.Func, o.Args, o.Kwargs, o.New, o.HasState, o.State, &List{o.Items}, &List{flat(o.Entries)}, int64(o.Nanos),
		}, depth)
	case *List, *Dict: // of a class that may be hashable, though that is not
		if !k.loose {
			return TypeError("unhashable type: '" + TypeName(o) + "'")
		}
		return k.add(is, depth+1)
	default:
		return k.add(is, depth+1)
	}
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
	k.head(cbor.MajorTag, tag)
	k.head(cbor.MajorArray, uint64(len(items)))
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

// sorted adds n parts in the order of their bytes; add adds part i. What may be
// one part counts once.
func (k *keyer) sorted(tag uint64, n int, add func(i int) error) error {
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
	if k.mode != localKey {
		parts = slices.Compact(parts)
	}
	k.dst = k.dst[:begin]
	k.head(cbor.MajorTag, tag)
	k.head(cbor.MajorArray, uint64(len(parts)))
	for _, p := range parts {
		k.dst = append(k.dst, p...)
	}
	return nil
}
