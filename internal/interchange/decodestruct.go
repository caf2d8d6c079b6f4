package interchange

import (
	"math/big"
	"reflect"
	"time"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
	"multiproc/internal/pyvalue"
)

// structure reads a struct from a map, a list or tuple, or a Python object.
func (d *decoder) structure(n *codec.Node, p unsafe.Pointer, i int) (next int, err error) {
	major, arg, next := cbor.Head(d.src, i)
	if major == cbor.MajorTag && arg == tagObject {
		return d.attributes(n, p, i)
	}
	if major != cbor.MajorMap {
		if length, first, ok := d.sequence(i); ok && length == len(n.Fields) && arg != tagSet && arg != tagFrozenSet {
			return d.Record(n, p, first)
		}
		return 0, d.Mismatch(n, i)
	}
	if err := d.Nest(); err != nil {
		return 0, err
	}
	next, err = d.fields(n, p, next, int(arg), 0)
	d.Unnest()
	return next, err
}

// fields reads a map of length pairs. Mostly the fields come in the order of
// the struct, and then no name needs to be looked up. Fields below top may have
// been read before.
func (d *decoder) fields(n *codec.Node, p unsafe.Pointer, i, length, top int) (next int, err error) {
	expect := 0
	for range length {
		name, value, ok := d.text(i)
		if !ok {
			i = skip(d.src, skip(d.src, i))
			continue
		}
		k := expect
		if k >= len(n.Fields) || n.Fields[k].Name != string(name) {
			if k, ok = n.Index[string(name)]; !ok {
				i = skip(d.src, value)
				continue
			}
		}
		f := &n.Fields[k]
		place := unsafe.Add(p, f.Offset)
		if expect = k + 1; expect > top {
			top = expect
		} else { // perhaps for the second time
			reflect.NewAt(f.Node.Type, place).Elem().SetZero()
		}
		if i, err = d.Value(f.Node, place, value); err != nil {
			return 0, codec.At(err, "."+f.Name)
		}
	}
	return i, nil
}

// attributes reads a struct from an instance of a Python class: from its state;
// or from what its tuple was made of, as in a namedtuple; of a subclass of dict
// also from its entries, and of one of list from its items if it has no state.
func (d *decoder) attributes(n *codec.Node, p unsafe.Pointer, i int) (next int, err error) {
	if err := d.Nest(); err != nil {
		return 0, err
	}
	_, _, next = cbor.Head(d.src, i)    // the tag
	_, _, next = cbor.Head(d.src, next) // the array
	args := skip(d.src, next)
	_, flags, next := cbor.Head(d.src, skip(d.src, args))
	empty := d.isEmpty(args)
	if flags&(objectNew|objectState) == objectNew && !empty {
		if err := d.rescan(next - args); err != nil {
			return 0, err
		}
		if _, err = d.Value(n, p, args); err != nil {
			return 0, err
		}
	}
	for _, part := range objectParts {
		switch {
		case flags&part.flag == 0:
		case part.flag == objectState:
			var ok bool
			if next, ok, err = d.state(n, p, next); err == nil && !ok {
				return 0, d.Mismatch(n, i)
			}
		case part.flag == objectEntries:
			_, length, first := cbor.Head(d.src, next)
			next, err = d.fields(n, p, first, int(length), len(n.Fields))
		case part.flag == objectItems && empty && flags&objectState == 0:
			next, err = d.Value(n, p, next)
		default:
			next = skip(d.src, next)
		}
		if err != nil {
			return 0, err
		}
	}
	if flags&(objectNew|objectState|objectEntries) == 0 {
		return 0, d.Mismatch(n, i)
	}
	d.Unnest()
	return next, nil
}

// state reads a struct from the state of an object, if it has one of the usual
// forms: a dict of the attributes; for a class with __slots__ a tuple of such a
// dict, or None, and another one; for a frozen dataclass with slots a list of
// their values.
func (d *decoder) state(n *codec.Node, p unsafe.Pointer, i int) (next int, ok bool, err error) {
	at, after, err := d.follow(i)
	if err != nil {
		return 0, false, err
	}
	switch major, tag, first := cbor.Head(d.src, at); {
	case major == cbor.MajorMap || major == cbor.MajorArray:
		next, err = d.Value(n, p, at)
	case major == cbor.MajorTag && tag == tagTuple:
		_, length, first := cbor.Head(d.src, first)
		if length != 2 {
			return 0, false, nil
		}
		second := skip(d.src, first)
		none := d.src[first] == cbor.Null
		if !none && !d.isMap(first) || !d.isMap(second) {
			return 0, false, nil
		}
		if err = d.rescan(second - first); err == nil && !none {
			_, err = d.Value(n, p, first)
		}
		if err == nil {
			next, err = d.Value(n, p, second)
		}
	default:
		return 0, false, nil
	}
	if after > 0 {
		next = after
	}
	return next, true, err
}

// follow is called before the item at i is read from where it stands, which it
// returns: that is elsewhere if i is a reference, which then ends at after.
func (d *decoder) follow(i int) (at, after int, err error) {
	major, tag, next := cbor.Head(d.src, i)
	if major == cbor.MajorTag && tag == tagShared {
		_, number, after := cbor.Head(d.src, next)
		m := d.marks[number]
		return m.from, after, d.repeat(m.end - m.from)
	}
	return d.behind(i), 0, nil
}

// isEmpty reports whether the item at i is a list, tuple or set without items.
func (d *decoder) isEmpty(i int) bool {
	length, _, ok := d.sequence(d.behind(i))
	return ok && length == 0
}

// isMap looks through the tags of shared items.
func (d *decoder) isMap(i int) bool {
	major, _, _ := cbor.Head(d.src, d.behind(i))
	return major == cbor.MajorMap
}

// behind returns where the item at i stands that may have the tags of shared
// ones.
func (d *decoder) behind(i int) int {
	major, n, next := cbor.Head(d.src, i)
	switch {
	case major == cbor.MajorTag && n == tagShared:
		_, n, _ = cbor.Head(d.src, next)
		return d.marks[n].from
	case major == cbor.MajorTag && n == tagShareable:
		return next
	}
	return i
}

// special is value for what is less frequent.
func (d *decoder) special(n *codec.Node, p unsafe.Pointer, i int) (next int, err error) {
	switch n.Shape {
	case shapeComplex:
		return d.complex(n, p, i)
	case shapeError:
		v, next := d.item(i)
		err, ok := errorOf(v)
		if !ok {
			return 0, d.Mismatch(n, i)
		}
		*(*error)(p) = err
		return next, nil
	case shapeTime:
		v, next := d.item(i)
		t, ok := v.(time.Time)
		if o, is := v.(*pyvalue.Object); is {
			t, _, ok = timeOf(o)
		}
		if !ok {
			return 0, d.Mismatch(n, i)
		}
		*(*time.Time)(p) = t
		return next, nil
	case shapeBig:
		switch v, next := d.item(i); v := v.(type) {
		case int:
			(*big.Int)(p).SetInt64(int64(v))
			return next, nil
		case int64:
			(*big.Int)(p).SetInt64(v)
			return next, nil
		case *big.Int:
			(*big.Int)(p).Set(v)
			return next, nil
		}
		return 0, d.Mismatch(n, i)
	}
	return 0, d.Mismatch(n, i)
}

// data reads a type of package pyvalue. In a *pyvalue.List and *pyvalue.Dict everything
// is as that package has it, in the others as in an any.
func (d *decoder) data(n *codec.Node, p unsafe.Pointer, i int) (next int, err error) {
	var v any
	if n.Type == reflect.TypeFor[*pyvalue.List]() || n.Type == reflect.TypeFor[*pyvalue.Dict]() {
		if d.exact == nil {
			d.exact = &parser{src: d.src, marks: d.marks}
		}
		v, next = d.exact.item(i)
	} else if v, next, err = d.Any(i); err != nil {
		return 0, err
	}
	if v == nil && n.Null {
		return next, nil
	}
	if reflect.TypeOf(v) != n.Type {
		return 0, d.Mismatch(n, i)
	}
	reflect.NewAt(n.Type, p).Elem().Set(reflect.ValueOf(v))
	return next, nil
}

func (d *decoder) complex(n *codec.Node, p unsafe.Pointer, i int) (next int, err error) {
	var c complex128
	if major, tag, _ := cbor.Head(d.src, i); major == cbor.MajorTag && tag == tagComplex {
		var v any
		v, next = d.item(i)
		c = v.(complex128)
	} else if f, end, ok := d.float(i); ok {
		c, next = complex(f, 0), end
	} else {
		return 0, d.Mismatch(n, i)
	}
	if n.Size == 8 {
		if tooWide(real(c)) || tooWide(imag(c)) {
			return 0, d.Mismatch(n, i)
		}
		*(*complex64)(p) = complex64(c)
	} else {
		*(*complex128)(p) = c
	}
	return next, nil
}
