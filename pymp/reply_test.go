package pymp_test

import (
	"math"
	"reflect"
	"testing"

	"multiproc/internal/pyvalue"
	"multiproc/pymp"
)

// proxied is a proxy as a server sends it.
func proxied(ident string) pyvalue.Value {
	managers := func(name string) pyvalue.Global {
		return pyvalue.Global{Module: "multiprocessing.managers", Name: name}
	}
	token := &pyvalue.Object{
		Func: managers("Token"), Args: pyvalue.Tuple{}, New: true,
		State: pyvalue.Tuple{"list", "/s", ident}, HasState: true,
	}
	return &pyvalue.Object{Func: managers("RebuildProxy"), Args: pyvalue.Tuple{managers("ListProxy"), token, "pickle", &pyvalue.Dict{}}}
}

func dict(pairs ...pyvalue.Value) *pyvalue.Dict {
	d := &pyvalue.Dict{}
	for i := 0; i < len(pairs); i += 2 {
		d.Entries = append(d.Entries, pyvalue.Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	return d
}

// replies are results with proxies in them.
func replies() map[string]pyvalue.Value {
	p := proxied("1")
	object := &pyvalue.Object{Func: pyvalue.Global{Module: "m", Name: "C"}, Args: pyvalue.Tuple{}, New: true, HasState: true}
	object.State = dict("p", p, "me", object)
	list := &pyvalue.List{Items: []pyvalue.Value{p}}
	around := &pyvalue.List{Items: []pyvalue.Value{p}}
	around.Items = append(around.Items, around)
	return map[string]pyvalue.Value{
		"one": p, "two": &pyvalue.List{Items: []pyvalue.Value{p, proxied("2")}}, "the same twice": &pyvalue.List{Items: []pyvalue.Value{p, p}},
		"in a tuple": pyvalue.Tuple{p, pyvalue.Tuple{p}}, "in a dict": dict("a", p, "b", &pyvalue.List{Items: []pyvalue.Value{p}}),
		"under numbers": dict(int64(1), p, math.NaN(), proxied("2"), math.NaN(), proxied("3")), "under tuples": dict(pyvalue.Tuple{int64(1)}, p),
		"in fields": dict("P", p, "Q", proxied("2")), "in an object": object, "in a list twice": pyvalue.Tuple{list, list},
		"among others": &pyvalue.List{Items: []pyvalue.Value{p, int64(1)}}, "around": around,
	}
}

// A proxy is one wherever it stands in a result.
func TestProxiesInReplies(t *testing.T) {
	for name, v := range replies() {
		got := pymp.ParseReply(pickled(pyvalue.Tuple{"#RETURN", v}))[0] // as an any
		if name == "around" {
			if got.Err == nil || got.Proxies != 0 {
				t.Errorf("a list that holds itself: %v, %d proxies", got.Err, got.Proxies)
			}
			continue
		}
		proxies, refs := 0, 0
		count(reflect.ValueOf(&got.Value).Elem(), map[any]bool{}, &proxies, &refs)
		if got.Err != nil || proxies == 0 || refs > 0 {
			t.Errorf("%s: %d proxies and %d references in %v (%v)", name, proxies, refs, got.Value, got.Err)
		}
	}
}

// count counts the proxies and references in v, those in shared parts once.
func count(v reflect.Value, seen map[any]bool, proxies, refs *int) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			count(v.Elem(), seen, proxies, refs)
		}
		return
	case reflect.Pointer, reflect.Map, reflect.Slice:
		at := [2]any{v.Pointer(), v.Type()}
		if v.IsNil() || seen[at] {
			return
		}
		seen[at] = true
	}
	switch v.Type() {
	case reflect.TypeFor[*pymp.Proxy]():
		*proxies++
		return
	case reflect.TypeFor[pyvalue.Ref]():
		*refs++
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		count(v.Elem(), seen, proxies, refs)
	case reflect.Slice:
		for i := range v.Len() {
			count(v.Index(i), seen, proxies, refs)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			count(it.Value(), seen, proxies, refs)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			count(v.Field(i), seen, proxies, refs)
		}
	}
}

// FuzzReply lets a server answer anything.
func FuzzReply(f *testing.F) {
	f.Add(pickled(pyvalue.Tuple{"#RETURN", &pyvalue.List{Items: []pyvalue.Value{int64(1), "a"}}}))
	f.Add(pickled(pyvalue.Tuple{"#ERROR", &pyvalue.Object{Func: pyvalue.Global{Module: "builtins", Name: "KeyError"}, Args: pyvalue.Tuple{"k"}}}))
	f.Add(pickled(pyvalue.Tuple{"#TRACEBACK", "Traceback\nKeyError: '7f'\n"}))
	f.Add(unhex("80049582000000000000008c062350524f5859948c0361626394868c1c6d756c746970726f63657373696e672e6d616e6167657273948c05546f6b656e9493942981948c046c69737494682f73948c02376694879462869486942e"))
	for _, v := range replies() {
		f.Add(pickled(pyvalue.Tuple{"#RETURN", v}))
	}
	f.Fuzz(func(t *testing.T, reply []byte) { pymp.ParseReply(reply) })
}
