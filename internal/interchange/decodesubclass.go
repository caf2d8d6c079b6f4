package interchange

import (
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
)

// Instances of subclasses of Python's dict and list are objects that bring
// entries or items. One without any looks like an object without attributes, and
// is read as empty; those of module collections are known by their names. A
// Counter has its entries among its arguments.

// collection is the class of that module whose name stands at i, empty if it is
// none.
func (d *decoder) collection(i int) string {
	major, n, next := cbor.Head(d.src, d.behind(i))
	if major != cbor.MajorTag || n != tagGlobal {
		return ""
	}
	_, _, next = cbor.Head(d.src, next) // the array
	module, next, ok := d.text(next)
	if !ok || string(module) != "collections" {
		return ""
	}
	name, _, _ := d.text(next)
	switch string(name) {
	case counter, "OrderedDict", "defaultdict", "deque":
		return string(name)
	}
	return ""
}

const counter = "Counter"

// partOf is where instances of a collection have what they contain.
func partOf(collection string) uint64 {
	switch collection {
	case "":
		return 0
	case "deque":
		return objectItems
	}
	return objectEntries
}

// contained reads a map or a slice from an object's entries or items: want says
// which. If there are none, empty makes the empty one.
func (d *decoder) contained(n *codec.Node, p unsafe.Pointer, i int, want uint64, empty func()) (next int, err error) {
	if err := d.Nest(); err != nil {
		return 0, err
	}
	_, _, class := cbor.Head(d.src, i)    // the tag
	_, _, class = cbor.Head(d.src, class) // the array
	args := skip(d.src, class)
	name := d.collection(class)
	_, flags, next := cbor.Head(d.src, skip(d.src, args))
	read := false
	if want == objectEntries && name == counter {
		if err := d.rescan(next - args); err != nil {
			return 0, err
		}
		at, _, err := d.follow(args)
		if err != nil {
			return 0, err
		}
		if length, first, ok := d.sequence(at); ok && length == 1 && d.isMap(first) {
			if _, err = d.Value(n, p, first); err != nil {
				return 0, err
			}
			read = true
		}
	}
	for _, part := range objectParts {
		switch {
		case flags&part.flag == 0:
		case part.flag == want && !read:
			if next, err = d.Value(n, p, next); err != nil {
				return 0, err
			}
			read = true
		default:
			next = skip(d.src, next)
		}
	}
	switch {
	case read:
	case partOf(name) == want, flags == objectNew && d.isEmpty(args):
		empty()
	default:
		return 0, d.Mismatch(n, i)
	}
	d.Unnest()
	return next, nil
}
