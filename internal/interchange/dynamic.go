package interchange

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"time"
	"unicode/utf8"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
	"multiproc/internal/pyvalue"
)

// AppendValue appends the item for v to dst. It also takes the Go values that
// an any may hold, and copies nothing. An error means that v holds something
// else, or is nested deeper than MaxDepth; dst is then as it was.
func AppendValue(dst []byte, v pyvalue.Value) ([]byte, error) {
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
func appendAny(dst []byte, v any, s codec.Exporter) ([]byte, error) {
	e := interchange.Encoder(dst, s)
	err := e.Hooks.Any(v)
	out := e.B
	e.Free()
	if err != nil {
		return dst, codec.Rooted(reflect.TypeOf(v), codec.Trimmed(err))
	}
	return out, nil
}

// item writes x, a value or a part of one, whose shared parts are known.
func (e *encoder) item(x any) error {
	switch v := x.(type) {
	case nil:
		e.B = append(e.B, cbor.Null)
	case bool:
		e.B = cbor.AppendBool(e.B, v)
	case int:
		e.B = cbor.AppendInt(e.B, int64(v))
	case int64:
		e.B = cbor.AppendInt(e.B, v)
	case float64:
		e.B = cbor.AppendFloat(e.B, v)
	case complex128:
		e.B = appendComplex(e.B, v)
	case string:
		if !e.share(x) {
			e.B = appendText(e.B, v)
		}
	case *big.Int:
		if v == nil {
			e.B = append(e.B, cbor.Null)
		} else if !e.share(x) {
			e.B = appendBig(e.B, v)
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
		e.B = append(e.B, cbor.Null)
		return nil
	}
	if e.Key && e.twice != nil {
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
		e.B = cbor.AppendBytes(e.B, v)
	case *pyvalue.ByteArray:
		if e.Key {
			return errKey(v)
		}
		e.B = cbor.AppendBytes(cbor.AppendHead(e.B, cbor.MajorTag, tagByteArray), v.B)
	case *pyvalue.List:
		if e.Key {
			return errKey(v)
		}
		return e.items(v.Items) // a List without items is an empty list, not None
	case *pyvalue.Dict:
		if e.Key {
			return errKey(v)
		}
		return e.entries(v.Entries)
	case pyvalue.Tuple:
		e.B = cbor.AppendHead(e.B, cbor.MajorTag, tagTuple)
		return e.items(v)
	case *pyvalue.Set:
		if e.Key {
			return errKey(v)
		}
		e.B = cbor.AppendHead(e.B, cbor.MajorTag, tagSet)
		return e.asKeys(v.Items)
	case *pyvalue.FrozenSet:
		e.B = cbor.AppendHead(e.B, cbor.MajorTag, tagFrozenSet)
		return e.asKeys(v.Items)
	case pyvalue.Slice:
		if e.Key {
			return errKey(v)
		}
		return e.bounds(tagSlice, v, v.Start, v.Stop, v.Step)
	case pyvalue.Range:
		return e.bounds(tagRange, v, v.Start, v.Stop, v.Step)
	case pyvalue.Global:
		return e.global(tagGlobal, 2, v)
	case pyvalue.Ref:
		return e.Ref(AppendRef(make([]byte, 0, 64), v.ID, v.Type))
	case *pyvalue.Object:
		key := e.Key
		e.Key = false // it is one as a whole
		err := e.object(v)
		e.Key = key
		return err
	case *pyvalue.Exception:
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
		return e.declared(v)
	}
	return nil
}

// isNil reports whether v is a nil pointer, slice or map.
func isNil(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return r.IsNil() && r.Type() != reflect.TypeFor[pyvalue.Tuple]()
	}
	return false
}

func errKey(v any) error {
	return fmt.Errorf("a %T cannot be a key or a member of a set; use an array, a struct or a tuple", v)
}

func (e *encoder) list(list []any) error {
	switch {
	case e.Key:
		return errKey(list)
	case list == nil:
		e.B = append(e.B, cbor.Null)
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
	if err := e.Nest(); err != nil {
		return err
	}
	e.B = cbor.AppendHead(e.B, cbor.MajorArray, uint64(len(list)))
	for i, v := range list {
		if err := e.item(v); err != nil {
			return codec.At(err, fmt.Sprintf("[%d]", i))
		}
	}
	e.Unnest()
	return nil
}

// asKeys is items for the members of a set.
func (e *encoder) asKeys(list []any) error {
	key := e.Key
	e.Key = true
	err := e.items(list)
	e.Key = key
	return err
}

// entries writes a map in the given order.
func (e *encoder) entries(list []pyvalue.Entry) error {
	if err := e.Nest(); err != nil {
		return err
	}
	e.B = cbor.AppendHead(e.B, cbor.MajorMap, uint64(len(list)))
	for i := range list {
		if err := e.asKey(list[i].Key); err != nil {
			return codec.At(err, "[key]")
		}
		if err := e.item(list[i].Value); err != nil {
			return codec.AtKey(err, list[i].Key)
		}
	}
	e.Unnest()
	return nil
}

// asKey is item for a key.
func (e *encoder) asKey(v any) error {
	key := e.Key
	e.Key = true
	err := e.item(v)
	e.Key = key
	return err
}

func (e *encoder) textMap(m map[string]any) error {
	switch {
	case e.Key:
		return errKey(m)
	case m == nil:
		e.B = append(e.B, cbor.Null)
		return nil
	}
	written, err := e.begin(m)
	if written || err != nil {
		return err
	}
	if err := e.Nest(); err != nil {
		return err
	}
	s := e.Sorter(len(m), false)
	for k, v := range m {
		s.Key()
		e.B = appendText(e.B, k)
		s.Value()
		if err := e.item(v); err != nil {
			return codec.AtKey(err, k)
		}
	}
	s.Sort()
	e.Unnest()
	e.end(m)
	return nil
}

func (e *encoder) anyMap(m map[any]any) error {
	written, err := e.begin(m)
	if written || err != nil {
		return err
	}
	err = e.declared(m)
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
	e.B = cbor.AppendHead(e.B, cbor.MajorTag, tag)
	return e.items(parts)
}

func errBounds(whole, v any) error {
	return fmt.Errorf("a %T with a %T in it; only integers can travel there", whole, v)
}

// maxName bounds the parts of a class's name: there is one with each object.
const maxName = 1 << 16

// global begins an array of n elements with the two parts of a name.
func (e *encoder) global(tag uint64, n uint64, g pyvalue.Global) error {
	if len(g.Module) > maxName || len(g.Name) > maxName || !utf8.ValidString(g.Module) || !utf8.ValidString(g.Name) {
		return errors.New("the name of a class or function is longer than 64 KiB or not UTF-8")
	}
	e.B = cbor.AppendHead(cbor.AppendHead(e.B, cbor.MajorTag, tag), cbor.MajorArray, n)
	e.B = appendText(appendText(e.B, g.Module), g.Name)
	return nil
}

func errRef(ref []byte) error {
	return fmt.Errorf("a reference of %d bytes to a shared object; the type id has at most %d bytes of UTF-8", len(ref), maxRefType)
}

// declared writes a value by the plan of its type.
func (e *encoder) declared(x any) error {
	t := reflect.TypeOf(x)
	p, err := OfType(t)
	if err != nil {
		return err
	}
	if e.Key {
		if p, err = OfKey(t); err != nil {
			return err
		}
	}
	v := reflect.New(t)
	v.Elem().Set(reflect.ValueOf(x))
	e.loose++
	err = e.Value(p.Root(), v.UnsafePointer())
	e.loose--
	if err != nil {
		return codec.At(err, "("+t.String()+")")
	}
	return nil
}
