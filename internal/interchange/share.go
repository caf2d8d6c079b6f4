package interchange

import (
	"fmt"

	"multiproc/internal/cbor"
	"multiproc/internal/pyvalue"
)

// identity is what makes two parts of a value the same object. Texts and names
// have one if they are long: a pickle may refer to one text a million times, at
// two bytes each. Slices and maps of Go have one unless they are empty: what came
// from Python as one list in two places goes back as one.
type identity struct {
	id     pyvalue.ID
	global pyvalue.Global
	place  place
}

// longName is from which length on names of classes are shared.
const longName = 64

func identityOf(v any) (identity, bool) {
	switch v := v.(type) {
	case pyvalue.Global:
		return identity{global: v}, len(v.Module)+len(v.Name) >= longName
	case []any:
		return identity{place: placeOf(v)}, len(v) > 0
	case map[string]any:
		return identity{place: placeOfMap(v)}, len(v) > 0
	case map[any]any:
		return identity{place: placeOfMap(v)}, len(v) > 0
	}
	id, ok := pyvalue.Identity(v)
	return identity{id: id}, ok
}

// finder looks for the parts of a value that it meets twice.
type finder struct {
	few   []identity            // the parts so far: mostly there are no more
	many  map[identity]struct{} // once there are
	twice map[identity]int
	depth int
}

var errDeep = fmt.Errorf("the value is cyclic or nested deeper than %d levels", MaxDepth)

const fewParts = 8

// fresh reports whether v has not been met before.
func (f *finder) fresh(v any) bool {
	id, ok := identityOf(v)
	if !ok || f.add(id) {
		return true
	}
	if f.twice == nil {
		f.twice = map[identity]int{}
	}
	f.twice[id] = unwritten
	return false
}

// add reports whether id is new.
func (f *finder) add(id identity) bool {
	if f.many == nil {
		for i := range f.few {
			if f.few[i] == id {
				return false
			}
		}
		if len(f.few) < fewParts {
			f.few = append(f.few, id)
			return true
		}
		f.many = make(map[identity]struct{}, 4*fewParts)
		for _, old := range f.few {
			f.many[old] = struct{}{}
		}
	}
	before := len(f.many)
	f.many[id] = struct{}{}
	return len(f.many) > before
}

// look goes over v, every part once.
func (f *finder) look(v any) error {
	switch v.(type) {
	case nil, bool, int64, int, float64:
		return nil
	}
	if isNil(v) || !f.fresh(v) {
		return nil
	}
	if f.depth++; f.depth > 2*MaxDepth {
		return errDeep
	}
	err := f.parts(v)
	f.depth--
	return err
}

// parts goes over what v consists of.
func (f *finder) parts(v any) error {
	switch v := v.(type) {
	case *pyvalue.List:
		return f.all(v.Items)
	case *pyvalue.Dict:
		return f.entries(v.Entries)
	case *pyvalue.Set:
		return f.all(v.Items)
	case *pyvalue.FrozenSet:
		return f.all(v.Items)
	case pyvalue.Tuple:
		return f.all(v)
	case *pyvalue.Exception:
		return f.all(v.Args)
	case *pyvalue.Object:
		if err := f.all([]any{v.Func, v.Args, v.Kwargs, v.State}); err != nil {
			return err
		}
		if err := f.all(v.Items); err != nil {
			return err
		}
		return f.entries(v.Entries)
	case []any:
		return f.all(v)
	case map[string]any:
		for _, x := range v {
			if err := f.look(x); err != nil {
				return err
			}
		}
	case map[any]any:
		for k, x := range v {
			if err := f.all([]any{k, x}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *finder) all(list []any) error {
	for _, v := range list {
		if err := f.look(v); err != nil {
			return err
		}
	}
	return nil
}

func (f *finder) entries(list []pyvalue.Entry) error {
	for i := range list {
		if err := f.look(list[i].Key); err != nil {
			return err
		}
		if err := f.look(list[i].Value); err != nil {
			return err
		}
	}
	return nil
}

// unwritten is the number of a shared part that has none yet.
const unwritten = -1

// share writes a reference to v if it has been written already. Otherwise, if
// it will be referred to, it marks what comes next.
func (e *encoder) share(v any) (written bool) {
	if e.twice == nil {
		return false
	}
	id, ok := identityOf(v)
	if !ok {
		return false
	}
	number, ok := e.twice[id]
	switch {
	case !ok:
		return false
	case number == unwritten:
		e.twice[id] = e.Marks
		e.Marks++
		e.B = cbor.AppendHead(e.B, cbor.MajorTag, tagShareable)
		return false
	}
	e.B = cbor.AppendHead(cbor.AppendHead(e.B, cbor.MajorTag, tagShared), cbor.MajorUint, uint64(number))
	return true
}

// keyable fails if v can be no key in Python. Who writes v finds that out, too,
// but not for what has been written already and is only referred to.
func (e *encoder) keyable(v any) error {
	if isNil(v) {
		return nil
	}
	switch v := v.(type) {
	case []any, map[string]any, map[any]any, *pyvalue.List, *pyvalue.Dict, *pyvalue.Set, *pyvalue.ByteArray, pyvalue.Slice:
		return errKey(v)
	case pyvalue.Tuple:
		id, ok := identityOf(v)
		if _, been := e.keys[id]; been || !ok {
			return nil
		}
		if e.keys == nil {
			e.keys = map[identity]struct{}{}
		}
		e.keys[id] = struct{}{}
		for _, part := range v {
			if err := e.keyable(part); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin is share for a slice or map of Go, and refuses one that holds itself
// with no pointer in between: whoever prints such a value dies of it. If it is to
// be written, end must be called afterwards.
func (e *encoder) begin(v any) (written bool, err error) {
	if e.twice == nil {
		return false, nil
	}
	id, ok := identityOf(v)
	if _, shared := e.twice[id]; !ok || !shared {
		return false, nil
	}
	if behind, open := e.open[id]; open && behind == e.behind {
		return false, errDeep
	}
	if e.share(v) {
		return true, nil
	}
	if e.open == nil {
		e.open = map[identity]int{}
	}
	e.open[id] = e.behind
	return false, nil
}

func (e *encoder) end(v any) {
	if e.open == nil {
		return
	}
	if id, ok := identityOf(v); ok {
		delete(e.open, id)
	}
}

// find prepares to write v, which may share parts.
func (e *encoder) find(v any) error {
	switch v.(type) {
	case nil, bool, int, int64, float64:
		return nil
	}
	f := finder{few: e.parts[:0]}
	err := f.look(v)
	clear(f.few)
	e.parts = f.few
	if err != nil {
		return err
	}
	if e.twice == nil {
		e.twice = f.twice
		return nil
	}
	for id := range f.twice {
		if _, ok := e.twice[id]; !ok {
			e.twice[id] = unwritten
		}
	}
	return nil
}
