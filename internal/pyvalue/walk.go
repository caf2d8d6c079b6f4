package pyvalue

import (
	"math/big"
	"unsafe"
)

// MaxDepth is how deep values may be nested for the functions of this package,
// which are recursive.
const MaxDepth = 1000

// ID tells two occurrences of the same memory from two equal values.
type ID struct {
	at   unsafe.Pointer
	len  int
	kind byte
}

// longLeaf is from which length on texts and bytes have an identity.
const longLeaf = 32

// Identity returns the identity of a container, and of long text, bytes and
// integers; ok is false for values that cost less than to look them up. Two
// values with the same identity are the same, for as long as they are held.
// It costs about 2 ns.
func Identity(v Value) (id ID, ok bool) {
	switch v := v.(type) {
	case string:
		return ID{unsafe.Pointer(unsafe.StringData(v)), len(v), 's'}, len(v) >= longLeaf
	case []byte:
		return ID{unsafe.Pointer(unsafe.SliceData(v)), len(v), 'b'}, len(v) >= longLeaf
	case Tuple:
		return ID{unsafe.Pointer(unsafe.SliceData(v)), len(v), 't'}, len(v) > 0
	case *List:
		return ID{at: unsafe.Pointer(v), kind: 'l'}, true
	case *Dict:
		return ID{at: unsafe.Pointer(v), kind: 'd'}, true
	case *Set:
		return ID{at: unsafe.Pointer(v), kind: 'S'}, true
	case *FrozenSet:
		return ID{at: unsafe.Pointer(v), kind: 'f'}, true
	case *ByteArray:
		return ID{at: unsafe.Pointer(v), kind: 'B'}, true
	case *Object:
		return ID{at: unsafe.Pointer(v), kind: 'o'}, true
	case *Exception:
		return ID{at: unsafe.Pointer(v), kind: 'e'}, true
	case *big.Int:
		return ID{at: unsafe.Pointer(v), kind: 'i'}, v.BitLen() >= 8*longLeaf
	}
	return ID{}, false
}

// seen remembers identities: a few in a row, more in a map.
type seen struct {
	few  []ID
	many map[ID]struct{}
}

const fewIDs = 16

// add reports whether id is new.
func (s *seen) add(id ID) bool {
	if s.many == nil {
		for i := range s.few {
			if s.few[i] == id {
				return false
			}
		}
		if len(s.few) < fewIDs {
			s.few = append(s.few, id)
			return true
		}
		s.many = make(map[ID]struct{}, 4*fewIDs)
		for _, old := range s.few {
			s.many[old] = struct{}{}
		}
	}
	before := len(s.many)
	s.many[id] = struct{}{}
	return len(s.many) > before
}

// Walk visits v and everything in it: what is shared only once, so that cycles
// end and small pickles of huge values stay small. The order is not specified.
// It stops if visit returns false. It is not recursive, whatever the depth.
func Walk(v Value, visit func(Value) bool) {
	var been seen
	todo := []Value{v}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if id, ok := Identity(v); ok && !been.add(id) {
			continue
		}
		if !visit(v) {
			return
		}
		todo = appendParts(todo, v)
	}
}

// appendParts appends what a value consists of.
func appendParts(dst []Value, v Value) []Value {
	switch v := v.(type) {
	case Tuple:
		dst = append(dst, v...)
	case *List:
		dst = append(dst, v.Items...)
	case *Dict:
		for _, e := range v.Entries {
			dst = append(dst, e.Key, e.Value)
		}
	case *Set:
		dst = append(dst, v.Items...)
	case *FrozenSet:
		dst = append(dst, v.Items...)
	case Slice:
		dst = append(dst, v.Start, v.Stop, v.Step)
	case Range:
		dst = append(dst, v.Start, v.Stop, v.Step)
	case *Object:
		dst = append(dst, v.Func, v.Args, v.Kwargs, v.State)
		dst = append(dst, v.Items...)
		for _, e := range v.Entries {
			dst = append(dst, e.Key, e.Value)
		}
	case *Exception:
		dst = append(dst, v.Args...)
	}
	return dst
}

// Refs yields the references in v, one for each place in which one stands.
func Refs(v Value, yield func(Ref) bool) {
	switch v.(type) {
	case nil, bool, int64, float64, string, []byte:
		return
	}
	Walk(v, func(v Value) bool {
		if r, ok := v.(Ref); ok {
			return yield(r)
		}
		return true
	})
}

// Size returns about how many bytes of memory v occupies.
func Size(v Value) int {
	size, _, _ := Weigh(v)
	return size
}

// Weigh returns about how many bytes of memory v occupies, how many values there
// are in it, and whether there are references among them. What is shared counts
// once.
func Weigh(v Value) (size, n int, refs bool) {
	var exposed map[*string]struct{} // the lists of names that were counted
	Walk(v, func(v Value) bool {
		n++
		size += placeSize + ownSize(v)
		if r, ok := v.(Ref); ok {
			refs = true
			if len(r.Exposed) == 0 {
				return true
			}
			if _, been := exposed[&r.Exposed[0]]; !been {
				if exposed == nil {
					exposed = map[*string]struct{}{}
				}
				exposed[&r.Exposed[0]] = struct{}{}
				for _, name := range r.Exposed {
					size += 16 + len(name)
				}
			}
		}
		return true
	})
	return size, n, refs
}

// placeSize is what a value takes in what it is a part of: its interface, with
// what append leaves free behind it.
const placeSize = 20

// ownSize is what a value occupies beside its place and its parts, and beside
// the names that a reference exposes.
func ownSize(v Value) int {
	switch v := v.(type) {
	case string:
		return 20 + len(v) + len(v)/16
	case []byte:
		return 32 + len(v) + len(v)/16
	case *ByteArray:
		return 32 + len(v.B) + len(v.B)/16
	case *big.Int:
		return 40 + v.BitLen()/8 + 16
	case int64, float64:
		return 8
	case complex128:
		return 16
	case Global:
		return 48 + len(v.Module) + len(v.Name)
	case Ref:
		return 128 + len(v.Type) + len(v.Proxy.Module) + len(v.Proxy.Name)
	case Slice, Range:
		return 48
	case *Object:
		return 208
	case *Exception:
		return 96
	case nil, bool:
		return 0
	}
	return 40
}
