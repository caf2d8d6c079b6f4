package pymp_test

import (
	"math"
	"reflect"
	"testing"

	"multiproc/internal/data"
	"multiproc/pymp"
)

// proxied is a proxy as a server sends it.
func proxied(ident string) data.Value {
	managers := func(name string) data.Global { return data.Global{Module: "multiprocessing.managers", Name: name} }
	token := &data.Object{
		Func: managers("Token"), Args: data.Tuple{}, New: true,
		State: data.Tuple{"list", "/s", ident}, HasState: true,
	}
	return &data.Object{Func: managers("RebuildProxy"), Args: data.Tuple{managers("ListProxy"), token, "pickle", &data.Dict{}}}
}

func dict(pairs ...data.Value) *data.Dict {
	d := &data.Dict{}
	for i := 0; i < len(pairs); i += 2 {
		d.Entries = append(d.Entries, data.Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	return d
}

// replies are results with proxies in them.
func replies() map[string]data.Value {
	p := proxied("1")
	object := &data.Object{Func: data.Global{Module: "m", Name: "C"}, Args: data.Tuple{}, New: true, HasState: true}
	object.State = dict("p", p, "me", object)
	list := &data.List{Items: []data.Value{p}}
	around := &data.List{Items: []data.Value{p}}
	around.Items = append(around.Items, around)
	return map[string]data.Value{
		"one": p, "two": &data.List{Items: []data.Value{p, proxied("2")}}, "the same twice": &data.List{Items: []data.Value{p, p}},
		"in a tuple": data.Tuple{p, data.Tuple{p}}, "in a dict": dict("a", p, "b", &data.List{Items: []data.Value{p}}),
		"under numbers": dict(int64(1), p, math.NaN(), proxied("2"), math.NaN(), proxied("3")), "under tuples": dict(data.Tuple{int64(1)}, p),
		"in fields": dict("P", p, "Q", proxied("2")), "in an object": object, "in a list twice": data.Tuple{list, list},
		"among others": &data.List{Items: []data.Value{p, int64(1)}}, "around": around,
	}
}

// A proxy is one wherever it stands in a result.
func TestProxiesInReplies(t *testing.T) {
	for name, v := range replies() {
		got := pymp.ParseReply(pickled(data.Tuple{"#RETURN", v}))[0] // as an any
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
	case reflect.TypeFor[data.Ref]():
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
	f.Add(pickled(data.Tuple{"#RETURN", &data.List{Items: []data.Value{int64(1), "a"}}}))
	f.Add(pickled(data.Tuple{"#ERROR", &data.Object{Func: data.Global{Module: "builtins", Name: "KeyError"}, Args: data.Tuple{"k"}}}))
	f.Add(pickled(data.Tuple{"#TRACEBACK", "Traceback\nKeyError: '7f'\n"}))
	f.Add(unhex("80049582000000000000008c062350524f5859948c0361626394868c1c6d756c746970726f63657373696e672e6d616e6167657273948c05546f6b656e9493942981948c046c69737494682f73948c02376694879462869486942e"))
	for _, v := range replies() {
		f.Add(pickled(data.Tuple{"#RETURN", v}))
	}
	f.Fuzz(func(t *testing.T, reply []byte) { pymp.ParseReply(reply) })
}
