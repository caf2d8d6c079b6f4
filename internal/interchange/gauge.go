package interchange

import (
	"fmt"
	"reflect"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// gauge measures how deep Go values are nested whose parts are shared. A slice
// that holds itself, or a chain of a million slices of one element each, kills
// whoever prints it: fmt follows slices, maps and tuples to the end of the
// stack. What lies behind a pointer it prints as an address, so Python objects
// may well refer to each other in circles.
type gauge struct {
	height  map[place]int // underWay as long as it is being measured
	behind  []any         // what pointers lead to, to be measured
	pointed map[any]bool
}

// place is where a slice or map lives.
type place struct {
	p unsafe.Pointer
	n int
}

func placeOf(v []any) place { return place{unsafe.Pointer(unsafe.SliceData(v)), len(v)} }

// placeOfMap takes a map of any type.
func placeOfMap(v any) place { return place{reflect.ValueOf(v).UnsafePointer(), -1} }

const underWay = -1

var errHolds = fmt.Errorf("%w: a list, tuple or dict that holds itself or is nested deeper than %d levels, for any", mperr.ErrType, MaxDepth)

// check measures v.
func (g *gauge) check(v any) error {
	if g.height == nil {
		g.height, g.pointed = map[place]int{}, map[any]bool{}
	}
	if _, ok := g.measure(v, MaxDepth); !ok {
		return errHolds
	}
	for len(g.behind) > 0 {
		v := g.behind[len(g.behind)-1]
		g.behind = g.behind[:len(g.behind)-1]
		var parts []any
		switch v := v.(type) { // as measure puts them there
		case *pyvalue.Object:
			parts = append([]any{v.Func, v.Args, v.Kwargs, v.State, v.Items}, keysAndValues(v.Entries)...)
		case *pyvalue.Dict:
			parts = keysAndValues(v.Entries)
		case *pyvalue.Set:
			parts = v.Items
		case *pyvalue.FrozenSet:
			parts = v.Items
		case *pyvalue.Exception:
			parts = v.Args
		}
		if _, ok := g.tallest(parts, MaxDepth); !ok {
			return errHolds
		}
	}
	return nil
}

// keysAndValues returns keys and values in one list.
func keysAndValues(entries []pyvalue.Entry) []any {
	list := make([]any, 0, 2*len(entries))
	for _, e := range entries {
		list = append(list, e.Key, e.Value)
	}
	return list
}

// tallest returns the height of the tallest of some values, unless that is
// more than there is room for.
func (g *gauge) tallest(list []any, room int) (h int, ok bool) {
	for _, v := range list {
		k, ok := g.measure(v, room)
		if !ok {
			return 0, false
		}
		h = max(h, k)
	}
	return h, true
}

// measure returns the height of v: 0 unless it is a slice, map or tuple.
func (g *gauge) measure(v any, room int) (h int, ok bool) {
	var at place
	var parts []any
	switch v := v.(type) {
	case []any:
		at, parts = placeOf(v), v
	case pyvalue.Tuple:
		at, parts = placeOf(v), v
	case map[string]any:
		at = placeOfMap(v)
	case map[any]any:
		at = placeOfMap(v)
	case *pyvalue.Object, *pyvalue.Dict, *pyvalue.Set, *pyvalue.FrozenSet, *pyvalue.Exception:
		if !g.pointed[v] {
			g.pointed[v] = true
			g.behind = append(g.behind, v)
		}
		return 0, true
	default:
		return 0, true
	}
	if h, known := g.height[at]; known {
		return h, h != underWay && h <= room
	}
	g.height[at] = underWay
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			parts = append(parts, x)
		}
	case map[any]any: // its keys are simple
		for _, x := range v {
			parts = append(parts, x)
		}
	}
	if h, ok = g.heightOf(parts, room); ok {
		g.height[at] = h
	}
	return h, ok
}

// heightOf returns the height of what has these parts.
func (g *gauge) heightOf(parts []any, room int) (h int, ok bool) {
	if room == 0 {
		return 0, false
	}
	h, ok = g.tallest(parts, room-1)
	return h + 1, ok
}
