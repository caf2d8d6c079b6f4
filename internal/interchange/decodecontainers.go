package interchange

import (
	"reflect"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
)

// sequence reads the head of a list, tuple or set.
func (d *decoder) sequence(i int) (length, next int, ok bool) {
	major, n, next := cbor.Head(d.src, i)
	if major == cbor.MajorTag && (n == tagTuple || n == tagSet || n == tagFrozenSet) {
		major, n, next = cbor.Head(d.src, next)
	}
	return int(n), next, major == cbor.MajorArray
}

// list reads a slice or array from a tuple, a set or a Python object.
func (d *decoder) list(n *codec.Node, p unsafe.Pointer, i int) (next int, err error) {
	if major, tag, _ := cbor.Head(d.src, i); major == cbor.MajorTag && tag == tagObject && n.Shape == codec.ShapeSlice {
		return d.contained(n, p, i, objectItems, func() { reflect.NewAt(n.Type, p).Elem().Set(reflect.MakeSlice(n.Type, 0, 0)) })
	}
	length, next, ok := d.sequence(i)
	if !ok || (n.Shape == codec.ShapeArray || n.Shape == codec.ShapeMemory) && length != n.Length {
		return 0, d.Mismatch(n, i)
	}
	return d.Elements(n, p, i, next, uint64(length))
}

// mapping reads a map from a Python object, and a map[K]struct{} from a set, a
// list, a tuple or a dict.
func (d *decoder) mapping(n *codec.Node, p unsafe.Pointer, i int) (next int, err error) {
	major, length, next := cbor.Head(d.src, i)
	if major == cbor.MajorTag && length == tagObject && n.Shape == codec.ShapeMap {
		return d.contained(n, p, i, objectEntries, func() { reflect.NewAt(n.Type, p).Elem().Set(reflect.MakeMap(n.Type)) })
	}
	value := func(_ *codec.Node, _ unsafe.Pointer, i int) (int, error) { return skip(d.src, i), nil }
	if major != cbor.MajorMap {
		k, first, ok := d.sequence(i)
		if !ok || n.Shape != codec.ShapeSet {
			return 0, d.Mismatch(n, i)
		}
		length, next = uint64(k), first
		value = func(_ *codec.Node, _ unsafe.Pointer, i int) (int, error) { return i, nil }
	}
	if err := d.Nest(); err != nil {
		return 0, err
	}
	next, _, err = d.Pairs(n, p, next, int(length), value)
	d.Unnest()
	return next, err
}
