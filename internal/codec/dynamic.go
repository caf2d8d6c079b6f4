package codec

import (
	"fmt"
	"math"
	"reflect"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/mperr"
)

// The types of which trees of JSON are made, and int, travel inside an any as
// what they are on the wire:
//
//	nil       null       string           text
//	bool      bool       []byte           bytes
//	int       integer    []any            array
//	float64   float      map[string]any   map
//
// Everything else, also a nil slice or map of these types, is
//
//	tag 7 [type expression, the value as its type has it]
//
// An error whose type has no name on the wire is
//
//	tag 8 [text, names of the registered errors in its tree]
//
// and arrives as an error with this text, in which errors.Is finds these.

// The nodes of what is in trees of JSON.
var (
	anyNode    = &Node{Type: reflect.TypeFor[any](), Shape: ShapeAny, Null: true, Size: unsafe.Sizeof(any(nil))}
	stringNode = &Node{Type: reflect.TypeFor[string](), Shape: ShapeString, Size: unsafe.Sizeof("")}
	anyMapNode = &Node{Type: reflect.TypeFor[map[string]any](), Shape: ShapeMap, Key: stringNode, Elem: anyNode}
)

// Any implements Writer.
func (e *writer) Any(x any) error {
	switch x := x.(type) {
	case nil:
		e.B = append(e.B, cbor.Null)
		return nil
	case bool:
		e.B = cbor.AppendBool(e.B, x)
		return nil
	case int:
		e.B = cbor.AppendInt(e.B, int64(x))
		return nil
	case float64:
		e.B = cbor.AppendFloat(e.B, x)
		return nil
	case string:
		e.B = cbor.AppendText(e.B, x)
		return nil
	case []byte:
		if x != nil {
			e.B = cbor.AppendBytes(e.B, x)
			return nil
		}
	case []any:
		if x != nil {
			return e.elements(anyNode, unsafe.Pointer(unsafe.SliceData(x)), len(x))
		}
	case map[string]any:
		if x != nil {
			return e.texts(x)
		}
	}
	return e.typed(x)
}

func (e *writer) texts(m map[string]any) error {
	if err := e.Nest(); err != nil {
		return err
	}
	if err := e.anyMap(m); err != nil {
		return err
	}
	e.Unnest()
	return nil
}

// typed writes a value with the name of its type.
func (e *writer) typed(x any) error {
	n, err := namedOf(reflect.TypeOf(x))
	if err != nil {
		if failed, ok := x.(error); ok {
			e.error(failed)
			return nil
		}
		return err
	}
	// The tag and the array in it are one level each.
	if err := e.Nest(); err != nil {
		return err
	}
	if err := e.Nest(); err != nil {
		return err
	}
	e.B = append(e.B, n.head...)
	if err := e.Value(n.plan.root, n.unboxed(x)); err != nil {
		return At(err, "("+n.expr+")")
	}
	e.Unnest()
	e.Unnest()
	return nil
}

// error writes an error as its text and names. fmt forgives a nil pointer whose
// Error method does not.
func (e *writer) error(err error) {
	names := mperr.Names(err)
	e.B = cbor.AppendHead(cbor.AppendHead(e.B, cbor.MajorTag, tagError), cbor.MajorArray, 2)
	e.B = cbor.AppendHead(cbor.AppendText(e.B, fmt.Sprint(err)), cbor.MajorArray, uint64(len(names)))
	for _, name := range names {
		e.B = cbor.AppendText(e.B, name)
	}
}

// Any implements Reader.
func (d *reader) Any(i int) (v any, next int, err error) {
	major, n, next := cbor.Head(d.Src, i)
	if next == 0 {
		return nil, 0, BadHead(d.Src, i)
	}
	switch major {
	case cbor.MajorUint, cbor.MajorNegative:
		if n > math.MaxInt {
			return nil, 0, Corrupt("%s for int", describe(d.Src, i, native.Tag))
		}
		if major == cbor.MajorNegative {
			return ^int(n), next, nil
		}
		return int(n), next, nil
	case cbor.MajorText, cbor.MajorBytes:
		if n > uint64(len(d.Src)-next) {
			return nil, 0, Truncated(i)
		}
		end := next + int(n)
		if major == cbor.MajorText {
			return d.Text(next, end), end, nil
		}
		return append([]byte{}, d.Src[next:end]...), end, nil
	case cbor.MajorArray:
		return d.anys(i, next, n)
	case cbor.MajorMap:
		return d.texts(i, next, n)
	case cbor.MajorTag:
		switch n {
		case tagTyped:
			return d.typed(next)
		case tagError:
			v, next, err := d.error(next)
			return v, next, err
		}
	}
	switch d.Src[i] {
	case cbor.Null:
		return nil, next, nil
	case cbor.True, cbor.False:
		return d.Src[i] == cbor.True, next, nil
	case cbor.Float64:
		return math.Float64frombits(n), next, nil
	}
	return nil, 0, Corrupt("%s for any", describe(d.Src, i, native.Tag))
}

func (d *reader) anys(i, next int, n uint64) (v any, end int, err error) {
	if n > uint64(len(d.Src)-next) {
		return nil, 0, Truncated(i)
	}
	if err := d.Nest(); err != nil {
		return nil, 0, err
	}
	list := make([]any, n)
	for k := range list {
		if list[k], next, err = d.Any(next); err != nil {
			return nil, 0, At(err, fmt.Sprintf("[%d]", k))
		}
	}
	d.Unnest()
	return list, next, nil
}

func (d *reader) texts(i, next int, n uint64) (v any, end int, err error) {
	if n > uint64(len(d.Src)-next)/2 {
		return nil, 0, Truncated(i)
	}
	if err := d.Nest(); err != nil {
		return nil, 0, err
	}
	var m map[string]any
	end, size, err := mapOfAny{}.decode(&d.Decoder, anyMapNode, unsafe.Pointer(&m), next, int(n))
	if err != nil {
		return nil, 0, err
	}
	if uint64(size) != n {
		return nil, 0, Corrupt("the same key twice")
	}
	d.Unnest()
	return m, end, nil
}

// list reads the head of an array of length items, or of any if length is
// negative.
func (d *reader) list(i, length int) (n, next int, ok bool) {
	major, count, next := cbor.Head(d.Src, i)
	if next == 0 || major != cbor.MajorArray || count > uint64(len(d.Src)-next) {
		return 0, 0, false
	}
	return int(count), next, length < 0 || int(count) == length
}

// typed reads what is behind tagTyped.
func (d *reader) typed(i int) (v any, next int, err error) {
	_, i, ok := d.list(i, 2)
	if !ok {
		return nil, 0, Corrupt("tag %d for any", tagTyped)
	}
	major, length, from := cbor.Head(d.Src, i)
	if from == 0 || major != cbor.MajorText || length > uint64(len(d.Src)-from) {
		return nil, 0, Corrupt("no text for the name of a type")
	}
	to := from + int(length)
	n, err := namedBy(d.Src[from:to])
	if err != nil {
		return nil, 0, err
	}
	if err := d.Nest(); err != nil {
		return nil, 0, err
	}
	if err := d.Nest(); err != nil {
		return nil, 0, err
	}
	p := reflect.New(n.plan.Type())
	if next, err = d.Value(n.plan.root, p.UnsafePointer(), to); err != nil {
		return nil, 0, At(err, "("+n.expr+")")
	}
	d.Unnest()
	d.Unnest()
	return n.boxed(p), next, nil
}

// error reads what is behind tagError.
func (d *reader) error(i int) (err error, next int, bad error) {
	bad = Corrupt("tag %d for an error", tagError)
	_, i, ok := d.list(i, 2)
	if !ok {
		return nil, 0, bad
	}
	text, i, ok := d.ReadText(i)
	if !ok {
		return nil, 0, bad
	}
	count, i, ok := d.list(i, -1)
	if !ok {
		return nil, 0, bad
	}
	names := make([]string, count)
	for k := range names {
		if names[k], i, ok = d.ReadText(i); !ok {
			return nil, 0, bad
		}
	}
	return mperr.Arrived(text, mperr.Sentinels(names)), i, nil
}
