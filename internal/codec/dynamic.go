package codec

import (
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"

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
//	tag 6 [type expression, the value as its type has it]
//
// An error whose type has no name on the wire is
//
//	tag 8 [text, names of the registered errors in its tree]
//
// and arrives as an error with this text, in which errors.Is finds these.

// dynamic returns the tree for what an any holds.
func (e *encoder) dynamic(x any) (any, error) {
	switch x := x.(type) {
	case nil, bool, int, float64, string:
		return x, nil
	case []byte:
		if x != nil {
			return x, nil
		}
	case []any:
		if x != nil {
			return e.anys(x)
		}
	case map[string]any:
		if x != nil {
			return e.anyMap(x)
		}
	}
	return e.typed(x)
}

func (e *encoder) anys(list []any) (any, error) {
	if err := e.nest(); err != nil {
		return nil, err
	}
	defer e.unnest()
	out := make([]any, len(list))
	for i, x := range list {
		y, err := e.dynamic(x)
		if err != nil {
			return nil, at(err, fmt.Sprintf("[%d]", i))
		}
		out[i] = y
	}
	return out, nil
}

func (e *encoder) anyMap(m map[string]any) (any, error) {
	if err := e.nest(); err != nil {
		return nil, err
	}
	defer e.unnest()
	out := make(map[string]any, len(m))
	for k, x := range m {
		y, err := e.dynamic(x)
		if err != nil {
			return nil, atKey(err, k)
		}
		out[k] = y
	}
	return out, nil
}

func (e *encoder) typed(x any) (any, error) {
	t := reflect.TypeOf(x)
	p, expr, err := nameable(t)
	if err != nil {
		if failed, ok := x.(error); ok {
			return asError(failed), nil
		}
		return nil, err
	}
	// The tag and the array in it are one level each.
	if err := e.nest(); err != nil {
		return nil, err
	}
	defer e.unnest()
	if err := e.nest(); err != nil {
		return nil, err
	}
	defer e.unnest()
	v := reflect.New(t).Elem()
	v.Set(reflect.ValueOf(x))
	y, err := e.value(p.root, v)
	if err != nil {
		return nil, at(err, "("+expr+")")
	}
	return cbor.Tag{Number: tagTyped, Content: []any{expr, y}}, nil
}

// nameable returns what it takes to send a value of type t in an any.
func nameable(t reflect.Type) (p *Plan, expr string, err error) {
	if p, err = Of(t); err == nil {
		expr, err = expressionOf(t)
	}
	return p, expr, err
}

// asError is the tree for an error. fmt forgives a nil pointer whose Error
// method does not.
func asError(err error) any {
	names := mperr.Names(err)
	list := make([]any, len(names))
	for i, name := range names {
		list[i] = name
	}
	return cbor.Tag{Number: tagError, Content: []any{fmt.Sprint(err), list}}
}

func (d *decoder) arrived(tag cbor.Tag) (any, error) {
	pair, ok := tag.Content.([]any)
	if !ok || len(pair) != 2 {
		return nil, corrupt("tag %d for an error", tag.Number)
	}
	text, isText := pair[0].(string)
	list, isList := pair[1].([]any)
	if !isText || !isList {
		return nil, corrupt("a %T and a %T for an error", pair[0], pair[1])
	}
	names := make([]string, len(list))
	for i := range list {
		if names[i], ok = list[i].(string); !ok {
			return nil, corrupt("a %T for the name of an error", list[i])
		}
	}
	return mperr.Arrived(text, mperr.Sentinels(names)), nil
}

// dynamic returns what an any shall hold, for the tree x. Lists and maps of
// the tree are not copied, but changed and given away.
func (d *decoder) dynamic(x any) (any, error) {
	switch x := x.(type) {
	case bool, float64, string, []byte:
		return x, nil
	case uint64, int64:
		i, ok := signed(x)
		if !ok || int64(int(i)) != i {
			return nil, corrupt("the %T %v for int", x, x)
		}
		return int(i), nil
	case []any:
		for i := range x {
			if err := d.replace(&x[i]); err != nil {
				return nil, at(err, fmt.Sprintf("[%d]", i))
			}
		}
		return x, nil
	case map[string]any:
		// To set an element that is there does not disturb the iteration.
		for k, y := range x {
			if err := d.replace(&y); err != nil {
				return nil, atKey(err, k)
			}
			x[k] = y
		}
		return x, nil
	case cbor.Tag:
		if x.Number == tagError {
			return d.arrived(x)
		}
		return d.typed(x)
	}
	return nil, corrupt("a %T for any", x)
}

// replace puts what an any shall hold in the place of its tree.
func (d *decoder) replace(x *any) error {
	if *x == nil {
		return nil
	}
	y, err := d.dynamic(*x)
	*x = y
	return err
}

func (d *decoder) typed(tag cbor.Tag) (any, error) {
	pair, ok := tag.Content.([]any)
	if !ok || tag.Number != tagTyped || len(pair) != 2 {
		return nil, corrupt("tag %d for any", tag.Number)
	}
	expr, ok := pair[0].(string)
	if !ok {
		return nil, corrupt("a %T for the name of a type", pair[0])
	}
	t, err := parseType(expr)
	if err != nil {
		return nil, err
	}
	if t.Kind() == reflect.Interface {
		return nil, corrupt("an any that holds an any")
	}
	p, err := Of(t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mperr.ErrCorrupt, err)
	}
	v := reflect.New(t).Elem()
	if err := d.value(p.root, v, pair[1]); err != nil {
		return nil, at(err, "("+expr+")")
	}
	return v.Interface(), nil
}
