package pickle

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"multiproc/internal/data"
	"multiproc/internal/mperr"
)

// protocols runs f for each protocol that is written.
func protocols(t *testing.T, f func(t *testing.T, o EncodeOptions)) {
	for p := lowestProtocol; p <= highestProtocol; p++ {
		t.Run(fmt.Sprint("protocol ", p), func(t *testing.T) { f(t, EncodeOptions{Protocol: p}) })
	}
}

func TestIdentityIsKept(t *testing.T) {
	protocols(t, func(t *testing.T, o EncodeOptions) {
		list, dict := &data.List{}, &data.Dict{}
		set, bytearray := &data.Set{}, &data.ByteArray{B: []byte("x")}
		object := &data.Object{Func: data.Global{Module: "m", Name: "C"}, Args: data.Tuple{}, New: true}
		for _, v := range []data.Value{list, dict, set, bytearray, object, &data.FrozenSet{}} {
			pair := trip(t, data.Tuple{v, v}, o).(data.Tuple)
			if pair[0] != pair[1] {
				t.Errorf("the same %s twice became two", data.TypeName(v))
			}
			other := trip(t, data.Tuple{v, v, &data.List{}, &data.List{}}, o).(data.Tuple)
			if other[2] == other[3] {
				t.Error("two lists became one")
			}
		}
		for i := range 100 { // beyond the row of the memo
			list.Items = append(list.Items, data.Tuple{int64(i)})
		}
		list.Items = append(list.Items, list.Items...)
		again := trip(t, list, o).(*data.List)
		for i := range 100 {
			one, _ := data.Identity(again.Items[i])
			if two, _ := data.Identity(again.Items[i+100]); one != two {
				t.Fatalf("tuple %d became two", i)
			}
		}
	})
}

func TestCyclesAreKept(t *testing.T) {
	protocols(t, func(t *testing.T, o EncodeOptions) {
		for n := range 5 { // tuples of all lengths have opcodes of their own
			list := &data.List{}
			tuple := data.Tuple{list}
			for range n {
				tuple = append(tuple, "x")
			}
			list.Items = []data.Value{tuple}
			got := trip(t, tuple, o).(data.Tuple)
			inner := got[0].(*data.List).Items[0].(data.Tuple)
			if &inner[0] != &got[0] || len(got) != n+1 {
				t.Errorf("the tuple of %d within itself became another one", n+1)
			}
		}
		object := &data.Object{Func: data.Global{Module: "m", Name: "C"}, HasState: true}
		list := &data.List{Items: []data.Value{object}}
		object.Args, object.State = data.Tuple{list}, data.Tuple{object}
		got := trip(t, object, o).(*data.Object)
		if got.Args.(data.Tuple)[0].(*data.List).Items[0] != data.Value(got) || got.State.(data.Tuple)[0] != data.Value(got) {
			t.Error("the object within its own arguments became another one")
		}
	})
}

func TestExceptionsAreInstances(t *testing.T) {
	e := data.KeyError("k")
	pair := trip(t, data.Tuple{"#ERROR", e, e}, EncodeOptions{}).(data.Tuple)
	o, ok := pair[1].(*data.Object)
	if !ok || o.Func != data.Value(e.Class) || !data.Equal(o.Args, e.Args) || o.New || pair[2] != data.Value(o) {
		t.Errorf("became %v", pair)
	}
}

func TestRefs(t *testing.T) {
	v := data.Tuple{data.Ref{ID: 7, Type: "list"}, data.Ref{ID: 8}}
	if _, err := Encode(nil, v, EncodeOptions{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without a function: %v", err)
	}
	broken := errors.New("broken")
	fail := func(data.Ref) (data.Value, error) { return nil, broken }
	if _, err := Encode(nil, v, EncodeOptions{Ref: fail}); !errors.Is(err, broken) {
		t.Errorf("its error became %v", err)
	}
	itself := func(r data.Ref) (data.Value, error) { return data.Tuple{r}, nil }
	if _, err := Encode(nil, v, EncodeOptions{Ref: itself}); !errors.Is(err, mperr.ErrTooLarge) {
		t.Errorf("a reference that stands for itself: %v", err)
	}
	proxy := data.Global{Module: "multiprocessing.managers", Name: "RebuildProxy"}
	b, err := Encode(nil, v, EncodeOptions{Ref: func(r data.Ref) (data.Value, error) {
		return &data.Object{Func: proxy, Args: data.Tuple{data.Uint(r.ID)}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b, Options{Object: func(o *data.Object) (data.Value, error) {
		id, _ := data.Int(o.Args.(data.Tuple)[0])
		return data.Ref{ID: uint64(id)}, nil
	}})
	if err != nil || !data.Equal(got, v) {
		t.Errorf("%s came back (%v)", data.Repr(got), err)
	}
	if _, err := Decode(b, Options{Object: func(*data.Object) (data.Value, error) { return nil, broken }}); !errors.Is(err, broken) {
		t.Errorf("an object that is refused: %v", err)
	}
}

// Object is asked when Python would call, with the arguments complete, and not
// about what Decode knows.
func TestObjectIsAsked(t *testing.T) {
	token := &data.Object{Func: data.Global{Module: "m", Name: "Token"}, Args: data.Tuple{}, New: true, State: data.Tuple{"list"}, HasState: true}
	v := data.Tuple{
		&data.Object{Func: data.Global{Module: "m", Name: "Rebuild"}, Args: data.Tuple{token}},
		data.Slice{Stop: int64(1)},
		complex(1, 2), &data.ByteArray{B: []byte{1}}, &data.Set{},
		data.Range{Start: int64(0), Stop: int64(1), Step: int64(1)},
	}
	protocols(t, func(t *testing.T, o EncodeOptions) {
		b, err := Encode(nil, v, o)
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		_, err = Decode(b, Options{Object: func(o *data.Object) (data.Value, error) {
			asked = append(asked, data.TypeName(o))
			if !data.Equal(o.Args, data.Tuple{token}) {
				t.Errorf("arguments are %s", data.Repr(o.Args))
			}
			return o, nil
		}})
		if err != nil || len(asked) != 1 || asked[0] != "Rebuild" {
			t.Errorf("asked about %v (%v)", asked, err)
		}
	})
}

func TestEncodeRefuses(t *testing.T) {
	deep := data.Value(data.Tuple{})
	for range data.MaxDepth + 10 {
		deep = data.Tuple{deep}
	}
	named := &data.Object{Func: data.Global{Module: "m", Name: "C"}, Args: data.Tuple{}, New: true, Kwargs: &data.Dict{}}
	for name, c := range map[string]struct {
		v    data.Value
		o    EncodeOptions
		want error
	}{
		"protocol 1":      {nil, EncodeOptions{Protocol: 1}, errors.ErrUnsupported},
		"protocol 6":      {nil, EncodeOptions{Protocol: 6}, errors.ErrUnsupported},
		"too deep":        {deep, EncodeOptions{}, mperr.ErrTooLarge},
		"too long":        {strings.Repeat("x", 100), EncodeOptions{MaxBytes: 90}, mperr.ErrTooLarge},
		"no value":        {data.Tuple{3}, EncodeOptions{}, mperr.ErrType},
		"no arguments":    {&data.Object{Func: data.Global{}}, EncodeOptions{}, mperr.ErrType},
		"named arguments": {named, EncodeOptions{Protocol: 3}, errors.ErrUnsupported},
		"name with dots":  {data.Global{Module: "a", Name: "b.c"}, EncodeOptions{Protocol: 3}, errors.ErrUnsupported},
		"name of lines":   {data.Global{Module: "a\nb", Name: "c"}, EncodeOptions{Protocol: 3}, errors.ErrUnsupported},
	} {
		dst := []byte("before")
		got, err := Encode(dst, c.v, c.o)
		if !errors.Is(err, c.want) || string(got) != "before" {
			t.Errorf("%s: %q, %v, want %v", name, got, err, c.want)
		}
	}
}

// Long texts and bytes are written once, wherever they stand.
func TestLongLeavesAreShared(t *testing.T) {
	text, raw := strings.Repeat("x", 1000), bytes.Repeat([]byte{1}, 1000)
	number := new(big.Int).Lsh(big.NewInt(1), 8000)
	list := &data.List{}
	for range 100 {
		list.Items = append(list.Items, text, raw, number)
	}
	protocols(t, func(t *testing.T, o EncodeOptions) {
		b, err := Encode(nil, list, o)
		if err != nil || len(b) > 6500 {
			t.Errorf("%d bytes (%v)", len(b), err)
		}
		if !data.Equal(trip(t, list, o), list) {
			t.Error("came back as something else")
		}
	})
}

// The values of a pickle are not those of its bytes, which are used again.
func TestDecodeCopies(t *testing.T) {
	v := data.Tuple{"text", []byte("bytes"), &data.ByteArray{B: []byte("array")}, data.Global{Module: "m", Name: "n"}}
	protocols(t, func(t *testing.T, o EncodeOptions) {
		b, err := Encode(nil, v, o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b, Options{})
		clear(b)
		if err != nil || !data.Equal(got, v) {
			t.Errorf("became %s (%v)", data.Repr(got), err)
		}
	})
}

// A list or dict made of another one does not change with it.
func TestCopiesAreApart(t *testing.T) {
	v, err := Decode(body("](K\x01K\x02e\x940cbuiltins\nlist\nh\x00\x85R(K\x03K\x04eh\x00K\x05a\x86."), Options{})
	if err != nil || data.Repr(v) != "([1, 2, 3, 4], [1, 2, 5])" {
		t.Errorf("%s (%v)", data.Repr(v), err)
	}
	v, err = Decode(body("}K\x01Ns\x940cbuiltins\ndict\nh\x00\x85RK\x01K\x02sh\x00\x86."), Options{})
	if err != nil || data.Repr(v) != "({1: 2}, {1: None})" {
		t.Errorf("%s (%v)", data.Repr(v), err)
	}
}
