package codec

import (
	"fmt"
	"math"
	"reflect"
	"unsafe"

	"github.com/fxamacker/cbor/v2"

	"multiproc/internal/mperr"
)

// decoder moves a tree, as fxamacker/cbor makes it of any bytes, into a value.
// The tree is made of what the encoder lists, except that integers are uint64
// or, below zero, int64, and that all floats are float64; from bytes that are
// not ours there may also be a time.Time, a big.Int or a cbor.SimpleValue,
// which nothing here takes. It belongs to us: its parts go into the value.
//
// The depth of the tree has been checked against maxDepth.
type decoder struct {
	session Session
}

// value fills v, which is settable and zero, from x.
func (d *decoder) value(n *node, v reflect.Value, x any) error {
	if x == nil && n.nilable() {
		return nil
	}
	switch n.shape {
	case shapeBool:
		b, ok := x.(bool)
		if !ok {
			return mismatch(n, x)
		}
		v.SetBool(b)
	case shapeInt:
		i, ok := signed(x)
		if !ok || v.OverflowInt(i) {
			return mismatch(n, x)
		}
		v.SetInt(i)
	case shapeUint:
		u, ok := x.(uint64)
		if !ok || v.OverflowUint(u) {
			return mismatch(n, x)
		}
		v.SetUint(u)
	case shapeFloat:
		f, ok := x.(float64)
		if !ok || v.OverflowFloat(f) {
			return mismatch(n, x)
		}
		v.SetFloat(f)
	case shapeString:
		s, ok := x.(string)
		if !ok {
			return mismatch(n, x)
		}
		v.SetString(s)
	case shapeMemory, shapeBytes, shapeBlock, shapeCustom:
		b, ok := x.([]byte)
		if !ok {
			return mismatch(n, x)
		}
		return d.bytes(n, v, b)
	case shapeStruct, shapeArray, shapeSlice, shapeMap:
		list, ok := x.([]any)
		if !ok {
			return mismatch(n, x)
		}
		return d.list(n, v, list)
	case shapePointer:
		return d.pointer(n, v, x)
	case shapeHandle:
		return d.handle(n, v, x)
	case shapeAny:
		y, err := d.dynamic(x)
		if err != nil {
			return err
		}
		if t := reflect.TypeOf(y); !t.AssignableTo(n.typ) {
			return corrupt("a %v for %v", t, n.typ)
		}
		v.Set(reflect.ValueOf(y))
	}
	return nil
}

func signed(x any) (int64, bool) {
	switch x := x.(type) {
	case uint64:
		return int64(x), x <= math.MaxInt64
	case int64:
		return x, true
	}
	return 0, false
}

// mismatch says that x is not what values of n are.
func mismatch(n *node, x any) error {
	switch x := x.(type) {
	case nil:
		return corrupt("null for %v", n.typ)
	case []any:
		return corrupt("a list of %d for %v", len(x), n.typ)
	case []byte:
		return corrupt("%d bytes for %v", len(x), n.typ)
	case bool, uint64, int64, float64:
		return corrupt("the %T %v for %v", x, x, n.typ)
	}
	return corrupt("a %T for %v", x, n.typ)
}

func (d *decoder) bytes(n *node, v reflect.Value, b []byte) error {
	switch n.shape {
	case shapeMemory:
		if uintptr(len(b)) != n.typ.Size() {
			return mismatch(n, b)
		}
		copy(memory(v.Addr().UnsafePointer(), n.typ.Size()), b)
	case shapeBytes:
		v.SetBytes(b)
	case shapeBlock:
		size := int(n.elem.typ.Size())
		if len(b)%size != 0 {
			return mismatch(n, b)
		}
		s := reflect.MakeSlice(n.typ, len(b)/size, len(b)/size)
		copy(unsafe.Slice((*byte)(s.UnsafePointer()), len(b)), b)
		v.Set(s)
	case shapeCustom:
		if err := n.form.unmarshal(v.Addr().Interface(), b); err != nil {
			return fmt.Errorf("%w: %w", mperr.ErrCorrupt, err)
		}
	}
	return nil
}

func (d *decoder) list(n *node, v reflect.Value, list []any) error {
	switch n.shape {
	case shapeStruct:
		if len(list) != len(n.fields) {
			return mismatch(n, list)
		}
		for i := range n.fields {
			f := &n.fields[i]
			if err := d.value(f.node, f.of(v), list[i]); err != nil {
				return at(err, "."+f.name)
			}
		}
		return nil
	case shapeMap:
		return d.pairs(n, v, list)
	case shapeArray:
		if len(list) != v.Len() {
			return mismatch(n, list)
		}
	case shapeSlice:
		return d.slice(n, v, list)
	}
	for i, x := range list {
		if err := d.value(n.elem, v.Index(i), x); err != nil {
			return at(err, fmt.Sprintf("[%d]", i))
		}
	}
	return nil
}

// A null of one byte may stand where an element of a megabyte is expected. So
// memory for large elements is taken as their contents turn out to be there.
const largeElement = 256

func (d *decoder) slice(n *node, v reflect.Value, list []any) error {
	size := len(list)
	if n.elem.typ.Size() > largeElement {
		size = min(size, 1)
	}
	v.Set(reflect.MakeSlice(n.typ, 0, size))
	for i, x := range list {
		if i == v.Cap() {
			v.Grow(1)
		}
		v.SetLen(i + 1)
		if err := d.value(n.elem, v.Index(i), x); err != nil {
			return at(err, fmt.Sprintf("[%d]", i))
		}
	}
	return nil
}

func (d *decoder) pairs(n *node, v reflect.Value, list []any) error {
	if len(list)%2 != 0 {
		return mismatch(n, list)
	}
	m := reflect.MakeMapWithSize(n.typ, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		key := reflect.New(n.key.typ).Elem()
		if err := d.value(n.key, key, list[i]); err != nil {
			return at(err, "[key]")
		}
		// A key that is or holds an any may hold a slice, and the map panic.
		if !key.Comparable() {
			return at(corrupt("a key that cannot be one"), "[key]")
		}
		if m.MapIndex(key).IsValid() {
			return atKey(corrupt("the same key twice"), key)
		}
		elem := reflect.New(n.elem.typ).Elem()
		if err := d.value(n.elem, elem, list[i+1]); err != nil {
			return atKey(err, key)
		}
		m.SetMapIndex(key, elem)
	}
	v.Set(m)
	return nil
}

func (d *decoder) pointer(n *node, v reflect.Value, x any) error {
	if n.elem.nilable() {
		list, ok := x.([]any)
		if !ok || len(list) != 1 {
			return mismatch(n, x)
		}
		x = list[0]
	}
	p := reflect.New(n.elem.typ)
	if err := d.value(n.elem, p.Elem(), x); err != nil {
		return err
	}
	v.Set(p)
	return nil
}

func (d *decoder) handle(n *node, v reflect.Value, x any) error {
	tag, _ := x.(cbor.Tag)
	ref, ok := tag.Content.([]byte)
	if !ok || tag.Number != tagHandle {
		return mismatch(n, x)
	}
	if d.session == nil {
		return errNoSession
	}
	p := reflect.New(n.typ.Elem())
	h := p.Convert(n.typ)
	if err := d.session.Import(h.Interface().(Handle), ref); err != nil {
		return err
	}
	v.Set(h)
	return nil
}
