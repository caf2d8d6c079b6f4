package portable

import (
	"fmt"
	"reflect"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/mperr"
)

// sequence reads the head of a list, tuple or set.
func (d *decoder) sequence(i int) (length, next int, ok bool) {
	major, n, next := cbor.Head(d.src, i)
	if major == cbor.MajorTag && (n == tagTuple || n == tagSet || n == tagFrozenSet) {
		major, n, next = cbor.Head(d.src, next)
	}
	return int(n), next, major == cbor.MajorArray
}

func (d *decoder) list(n *node, p unsafe.Pointer, i int) (next int, err error) {
	if major, tag, _ := cbor.Head(d.src, i); major == cbor.MajorTag && tag == tagObject && n.shape == shapeSlice {
		return d.contained(n, p, i, objectItems, func() { reflect.NewAt(n.typ, p).Elem().Set(reflect.MakeSlice(n.typ, 0, 0)) })
	}
	length, next, ok := d.sequence(i)
	if !ok || n.shape != shapeSlice && n.shape != shapeBytes && length != n.length {
		return 0, d.mismatch(n, i)
	}
	if err := d.nest(); err != nil {
		return 0, err
	}
	if n.shape == shapeSlice || n.shape == shapeBytes {
		next, err = d.slice(n, p, next, length)
	} else {
		for k := 0; k < length && err == nil; k++ {
			if next, err = d.value(n.elem, unsafe.Add(p, uintptr(k)*n.elem.size), next); err != nil {
				err = at(err, fmt.Sprintf("[%d]", k))
			}
		}
	}
	d.unnest()
	return next, err
}

// A map without a field may stand where a struct of a megabyte is expected. So
// memory for large elements is taken as their items come.
const largeElement = 256

func (d *decoder) slice(n *node, p unsafe.Pointer, i, length int) (next int, err error) {
	v := reflect.NewAt(n.typ, p).Elem()
	size := length
	if n.elem.size > largeElement {
		size = min(size, 1)
	}
	v.Set(reflect.MakeSlice(n.typ, size, size))
	base := v.UnsafePointer()
	for k := range length {
		if k == size {
			v.Grow(1)
			size = min(v.Cap(), length)
			v.SetLen(size)
			base = v.UnsafePointer()
		}
		if i, err = d.value(n.elem, unsafe.Add(base, uintptr(k)*n.elem.size), i); err != nil {
			return 0, at(err, fmt.Sprintf("[%d]", k))
		}
	}
	return i, nil
}

func (d *decoder) mapping(n *node, p unsafe.Pointer, i int) (next int, err error) {
	major, length, next := cbor.Head(d.src, i)
	pairs := major == cbor.MajorMap
	if major == cbor.MajorTag && length == tagObject && n.shape == shapeMap {
		return d.contained(n, p, i, objectEntries, func() { reflect.NewAt(n.typ, p).Elem().Set(reflect.MakeMap(n.typ)) })
	}
	if !pairs {
		k, first, ok := d.sequence(i)
		if !ok || n.shape != shapeSet {
			return 0, d.mismatch(n, i)
		}
		length, next = uint64(k), first
	}
	if err := d.nest(); err != nil {
		return 0, err
	}
	v := reflect.NewAt(n.typ, p).Elem()
	size := int(length)
	if n.key.size+n.elem.size > largeElement {
		size = 0
	}
	v.Set(reflect.MakeMapWithSize(n.typ, size))
	key, elem := reflect.New(n.key.typ), reflect.New(n.elem.typ)
	for range length {
		key.Elem().SetZero()
		if next, err = d.value(n.key, key.UnsafePointer(), next); err != nil {
			return 0, at(err, "[key]")
		}
		// A key that is or holds an any may hold a slice, and the map panic.
		if n.key.opaque() && !key.Elem().Comparable() {
			return 0, at(fmt.Errorf("%w: a key that has no == in Go; use a *data.Dict or any", mperr.ErrType), "[key]")
		}
		elem.Elem().SetZero()
		switch {
		case pairs && n.shape == shapeMap:
			next, err = d.value(n.elem, elem.UnsafePointer(), next)
		case pairs:
			next = skip(d.src, next)
		}
		if err != nil {
			return 0, atKey(err, key.Elem())
		}
		v.SetMapIndex(key.Elem(), elem.Elem())
	}
	d.unnest()
	return next, nil
}

// opaque reports whether values of a key's type may turn out to have no ==.
func (n *node) opaque() bool {
	switch n.shape {
	case shapeBool, shapeInt, shapeUint, shapeFloat, shapeComplex, shapeString, shapeByteArray:
		return false
	}
	return true
}
