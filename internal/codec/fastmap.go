package codec

import (
	"reflect"
	"sync"
	"unsafe"

	"multiproc/internal/cbor"
)

// fastMap goes over maps of one type without reflection, which takes three
// times as long.
type fastMap interface {
	encode(e *Encoder, n *Node, p unsafe.Pointer) error
	decode(d *Decoder, n *Node, p unsafe.Pointer, i, length int) (next, size int, err error)
}

// fastMaps are there for the types of which most maps are.
var fastMaps = sync.OnceValue(func() map[[2]reflect.Type]fastMap {
	all := map[[2]reflect.Type]fastMap{}
	all[[2]reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[any]()}] = mapOfAny{}
	addFastMap[string, string](all)
	addFastMap[string, int](all)
	addFastMap[string, float64](all)
	addFastMap[string, bool](all)
	addFastMap[int, string](all)
	addFastMap[int, int](all)
	return all
})

func addFastMap[K comparable, V any](all map[[2]reflect.Type]fastMap) {
	all[[2]reflect.Type{reflect.TypeFor[K](), reflect.TypeFor[V]()}] = mapOf[K, V]{}
}

func fastMapOf(n *Node) fastMap {
	if n.Shape != ShapeMap {
		return nil
	}
	return fastMaps()[[2]reflect.Type{n.Key.Type, n.Elem.Type}]
}

type mapOf[K comparable, V any] struct{}

func (mapOf[K, V]) encode(e *Encoder, n *Node, p unsafe.Pointer) error {
	m := *(*map[K]V)(p)
	s := e.Sorter(len(m), false)
	pair := new(struct {
		k K
		v V
	})
	for pair.k, pair.v = range m {
		s.Key()
		if err := e.Value(n.Key, unsafe.Pointer(&pair.k)); err != nil {
			return At(err, "[key]")
		}
		s.Value()
		if err := e.Value(n.Elem, unsafe.Pointer(&pair.v)); err != nil {
			return AtKey(err, pair.k)
		}
	}
	s.Sort()
	return nil
}

func (mapOf[K, V]) decode(d *Decoder, n *Node, p unsafe.Pointer, i, length int) (next, size int, err error) {
	m := make(map[K]V, length)
	*(*map[K]V)(p) = m
	pair := new(struct {
		k K
		v V
	})
	for range length {
		clear(unsafe.Slice(pair, 1))
		if i, err = d.Value(n.Key, unsafe.Pointer(&pair.k), i); err != nil {
			return 0, 0, At(err, "[key]")
		}
		if i, err = d.Value(n.Elem, unsafe.Pointer(&pair.v), i); err != nil {
			return 0, 0, AtKey(err, pair.k)
		}
		m[pair.k] = pair.v
	}
	return i, len(m), nil
}

// mapOfAny is mapOf for map[string]any, with no room for a pair.
type mapOfAny struct{}

func (mapOfAny) encode(e *Encoder, n *Node, p unsafe.Pointer) error {
	return e.anyMap(*(*map[string]any)(p))
}

// anyMap writes the pairs of a map[string]any.
func (e *Encoder) anyMap(m map[string]any) error {
	s := e.Sorter(len(m), false)
	for k, v := range m {
		s.Key()
		if err := e.Text(k); err != nil {
			return err
		}
		s.Value()
		if err := e.Hooks.Any(v); err != nil {
			return AtKey(err, k)
		}
	}
	s.Sort()
	return nil
}

func (mapOfAny) decode(d *Decoder, n *Node, p unsafe.Pointer, i, length int) (next, size int, err error) {
	m := make(map[string]any, length)
	*(*map[string]any)(p) = m
	for range length {
		k, ok := "", false
		if k, next, ok = d.ReadText(i); !ok {
			own := new(string)
			if next, err = d.Value(n.Key, unsafe.Pointer(own), i); err != nil {
				return 0, 0, At(err, "[key]")
			}
			k = *own
		}
		if m[k], i, err = d.Hooks.Any(next); err != nil {
			return 0, 0, AtKey(err, k)
		}
	}
	return i, len(m), nil
}

// ReadText reads a text in UTF-8, if that is what the item at i is.
func (d *Decoder) ReadText(i int) (s string, next int, ok bool) {
	major, n, next := cbor.Head(d.Src, i)
	if next == 0 || major != cbor.MajorText || n > uint64(len(d.Src)-next) {
		return "", 0, false
	}
	end := next + int(n)
	return d.Text(next, end), end, true
}
