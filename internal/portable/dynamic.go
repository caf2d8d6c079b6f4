package portable

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
	"multiproc/internal/data"
)

// AppendValue appends the item for v to dst. It also takes the Go values that
// an any may hold, and copies nothing. An error means that v holds something
// else, or is nested deeper than MaxDepth; dst is then as it was.
func AppendValue(dst []byte, v data.Value) ([]byte, error) {
	switch v := v.(type) { // without the encoder
	case nil:
		return append(dst, cbor.Null), nil
	case bool:
		return cbor.AppendBool(dst, v), nil
	case int64:
		return cbor.AppendInt(dst, v), nil
	case float64:
		return cbor.AppendFloat(dst, v), nil
	case string:
		return appendText(dst, v), nil
	case []byte:
		if v != nil {
			return cbor.AppendBytes(dst, v), nil
		}
	}
	return appendAny(dst, v, nil)
}

// appendAny appends the item for what an any holds.
func appendAny(dst []byte, v any, s codec.Session) ([]byte, error) {
	e := newEncoder(dst, s, false)
	err := e.dynamic(v)
	out := e.b
	e.free()
	if err != nil {
		return dst, rooted(reflect.TypeOf(v), named(err))
	}
	return out, nil
}

// named takes the type of the whole from the end of err's path: rooted says it.
func named(err error) error {
	var p *placed
	if errors.As(err, &p) {
		if n := len(p.places) - 1; strings.HasPrefix(p.places[n], "(") {
			p.places = p.places[:n]
		}
	}
	return err
}

// dynamic writes what an any holds.
func (e *encoder) dynamic(v any) error {
	if err := e.find(v); err != nil {
		return err
	}
	return e.item(v)
}

// item writes x, a value or a part of one, whose shared parts are known.
func (e *encoder) item(x any) error {
	switch v := x.(type) {
	case nil:
		e.b = append(e.b, cbor.Null)
	case bool:
		e.b = cbor.AppendBool(e.b, v)
	case int:
		e.b = cbor.AppendInt(e.b, int64(v))
	case int64:
		e.b = cbor.AppendInt(e.b, v)
	case float64:
		e.b = cbor.AppendFloat(e.b, v)
	case complex128:
		e.b = appendComplex(e.b, v)
	case string:
		if !e.share(x) {
			e.b = appendText(e.b, v)
		}
	case *big.Int:
		if v == nil {
			e.b = append(e.b, cbor.Null)
		} else if !e.share(x) {
			e.b = appendBig(e.b, v)
		}
	case []any:
		return e.list(v)
	case map[string]any:
		return e.textMap(v)
	default:
		return e.further(x)
	}
	return nil
}

// further is item for what is less frequent.
func (e *encoder) further(v any) error {
	if isNil(v) {
		e.b = append(e.b, cbor.Null)
		return nil
	}
	if e.key && e.twice != nil {
		if err := e.keyable(v); err != nil {
			return err
		}
	}
	if m, ok := v.(map[any]any); ok {
		return e.anyMap(m)
	}
	if e.share(v) {
		return nil
	}
	e.behind++ // a value may hold itself by way of what has a pointer
	err := e.pointed(v)
	e.behind--
	return err
}

// pointed is further for what has not been written yet.
func (e *encoder) pointed(v any) error {
	switch v := v.(type) {
	case []byte:
		e.b = cbor.AppendBytes(e.b, v)
	case *data.ByteArray:
		if e.key {
			return errKey(v)
		}
		e.b = cbor.AppendBytes(cbor.AppendHead(e.b, cbor.MajorTag, tagByteArray), v.B)
	case *data.List:
		if e.key {
			return errKey(v)
		}
		return e.items(v.Items) // a List without items is an empty list, not None
	case *data.Dict:
		if e.key {
			return errKey(v)
		}
		return e.entries(v.Entries)
	case data.Tuple:
		e.b = cbor.AppendHead(e.b, cbor.MajorTag, tagTuple)
		return e.items(v)
	case *data.Set:
		if e.key {
			return errKey(v)
		}
		e.b = cbor.AppendHead(e.b, cbor.MajorTag, tagSet)
		return e.asKeys(v.Items)
	case *data.FrozenSet:
		e.b = cbor.AppendHead(e.b, cbor.MajorTag, tagFrozenSet)
		return e.asKeys(v.Items)
	case data.Slice:
		if e.key {
			return errKey(v)
		}
		return e.bounds(tagSlice, v, v.Start, v.Stop, v.Step)
	case data.Range:
		return e.bounds(tagRange, v, v.Start, v.Stop, v.Step)
	case data.Global:
		return e.global(tagGlobal, 2, v)
	case data.Ref:
		return e.ref(AppendRef(make([]byte, 0, 64), v.ID, v.Type))
	case *data.Object:
		key := e.key
		e.key = false // it is one as a whole
		err := e.object(v)
		e.key = key
		return err
	case *data.Exception:
		if err := e.global(tagException, 3, v.Class); err != nil {
			return err
		}
		return e.items(v.Args)
	case time.Time:
		return e.time(v)
	default:
		if err, ok := v.(error); ok {
			return e.item(exceptionOf(err))
		}
		return e.typed(v)
	}
	return nil
}

// isNil reports whether v is a nil pointer, slice or map.
func isNil(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return r.IsNil() && r.Type() != reflect.TypeFor[data.Tuple]()
	}
	return false
}

func errKey(v any) error {
	return fmt.Errorf("a %T cannot be a key or a member of a set; use an array, a struct or a tuple", v)
}

func (e *encoder) list(list []any) error {
	switch {
	case e.key:
		return errKey(list)
	case list == nil:
		e.b = append(e.b, cbor.Null)
		return nil
	}
	written, err := e.begin(list)
	if written || err != nil {
		return err
	}
	err = e.items(list)
	e.end(list)
	return err
}

// items writes an array.
func (e *encoder) items(list []any) error {
	if err := e.nest(); err != nil {
		return err
	}
	e.b = cbor.AppendHead(e.b, cbor.MajorArray, uint64(len(list)))
	for i, v := range list {
		if err := e.item(v); err != nil {
			return at(err, fmt.Sprintf("[%d]", i))
		}
	}
	e.unnest()
	return nil
}

// asKeys is items for the members of a set.
func (e *encoder) asKeys(list []any) error {
	key := e.key
	e.key = true
	err := e.items(list)
	e.key = key
	return err
}

// entries writes a map in the given order.
func (e *encoder) entries(list []data.Entry) error {
	if err := e.nest(); err != nil {
		return err
	}
	e.b = cbor.AppendHead(e.b, cbor.MajorMap, uint64(len(list)))
	for i := range list {
		if err := e.asKey(list[i].Key); err != nil {
			return at(err, "[key]")
		}
		if err := e.item(list[i].Value); err != nil {
			return atKey(err, list[i].Key)
		}
	}
	e.unnest()
	return nil
}

// asKey is item for a key.
func (e *encoder) asKey(v any) error {
	key := e.key
	e.key = true
	err := e.item(v)
	e.key = key
	return err
}

func (e *encoder) textMap(m map[string]any) error {
	switch {
	case e.key:
		return errKey(m)
	case m == nil:
		e.b = append(e.b, cbor.Null)
		return nil
	}
	written, err := e.begin(m)
	if written || err != nil {
		return err
	}
	if err := e.nest(); err != nil {
		return err
	}
	s := e.sorter(len(m))
	for k, v := range m {
		s.key()
		e.b = appendText(e.b, k)
		s.value()
		if err := e.item(v); err != nil {
			return atKey(err, k)
		}
	}
	s.sort()
	e.unnest()
	e.end(m)
	return nil
}

func (e *encoder) anyMap(m map[any]any) error {
	written, err := e.begin(m)
	if written || err != nil {
		return err
	}
	err = e.typed(m)
	e.end(m)
	return err
}

// bounds writes a slice or a range. Their parts are integers or bools, or None
// in a slice: what Python allows beyond that could hold the slice itself.
func (e *encoder) bounds(tag uint64, whole any, parts ...any) error {
	for _, v := range parts {
		switch v.(type) {
		case int, int64, *big.Int, bool:
		case nil:
			if tag == tagSlice {
				continue
			}
			return errBounds(whole, v)
		default:
			return errBounds(whole, v)
		}
	}
	e.b = cbor.AppendHead(e.b, cbor.MajorTag, tag)
	return e.items(parts)
}

func errBounds(whole, v any) error {
	return fmt.Errorf("a %T with a %T in it; only integers can travel there", whole, v)
}

// maxName bounds the parts of a class's name: there is one with each object.
const maxName = 1 << 16

// global begins an array of n elements with the two parts of a name.
func (e *encoder) global(tag uint64, n uint64, g data.Global) error {
	if len(g.Module) > maxName || len(g.Name) > maxName || !utf8.ValidString(g.Module) || !utf8.ValidString(g.Name) {
		return errors.New("the name of a class or function is longer than 64 KiB or not UTF-8")
	}
	e.b = cbor.AppendHead(cbor.AppendHead(e.b, cbor.MajorTag, tag), cbor.MajorArray, n)
	e.b = appendText(appendText(e.b, g.Module), g.Name)
	return nil
}

func (e *encoder) ref(ref []byte) error {
	if !isRef(ref) {
		return fmt.Errorf("a reference of %d bytes to a shared object; the type id has at most %d bytes of UTF-8", len(ref), maxRefType)
	}
	e.b = cbor.AppendBytes(cbor.AppendHead(e.b, cbor.MajorTag, tagRef), ref)
	return nil
}

// typed writes a value by the plan of its type.
func (e *encoder) typed(x any) error {
	t := reflect.TypeOf(x)
	p, err := OfType(t)
	if err != nil {
		return err
	}
	if e.key {
		if p, err = OfKey(t); err != nil {
			return err
		}
	}
	v := reflect.New(t)
	v.Elem().Set(reflect.ValueOf(x))
	e.loose++
	err = e.value(p.root, v.UnsafePointer())
	e.loose--
	if err != nil {
		return at(err, "("+t.String()+")")
	}
	return nil
}
