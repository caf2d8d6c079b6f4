package pickle

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// protocols runs f for each protocol that is written.
func protocols(t *testing.T, f func(t *testing.T, o EncodeOptions)) {
	for p := lowestProtocol; p <= highestProtocol; p++ {
		t.Run(fmt.Sprint("protocol ", p), func(t *testing.T) { f(t, EncodeOptions{Protocol: p}) })
	}
}

func TestIdentityIsKept(t *testing.T) {
	protocols(t, func(t *testing.T, o EncodeOptions) {
		list, dict := &pyvalue.List{}, &pyvalue.Dict{}
		set, bytearray := &pyvalue.Set{}, &pyvalue.ByteArray{B: []byte("x")}
		object := &pyvalue.Object{Func: pyvalue.Global{Module: "m", Name: "C"}, Args: pyvalue.Tuple{}, New: true}
		for _, v := range []pyvalue.Value{list, dict, set, bytearray, object, &pyvalue.FrozenSet{}} {
			pair := trip(t, pyvalue.Tuple{v, v}, o).(pyvalue.Tuple)
			if pair[0] != pair[1] {
				t.Errorf("the same %s twice became two", pyvalue.TypeName(v))
			}
			other := trip(t, pyvalue.Tuple{v, v, &pyvalue.List{}, &pyvalue.List{}}, o).(pyvalue.Tuple)
			if other[2] == other[3] {
				t.Error("two lists became one")
			}
		}
		for i := range 100 { // beyond the row of the memo
			list.Items = append(list.Items, pyvalue.Tuple{int64(i)})
		}
		list.Items = append(list.Items, list.Items...)
		again := trip(t, list, o).(*pyvalue.List)
		for i := range 100 {
			one, _ := pyvalue.Identity(again.Items[i])
			if two, _ := pyvalue.Identity(again.Items[i+100]); one != two {
				t.Fatalf("tuple %d became two", i)
			}
		}
	})
}

func TestCyclesAreKept(t *testing.T) {
	protocols(t, func(t *testing.T, o EncodeOptions) {
		for n := range 5 { // tuples of all lengths have opcodes of their own
			list := &pyvalue.List{}
			tuple := pyvalue.Tuple{list}
			for range n {
				tuple = append(tuple, "x")
			}
			list.Items = []pyvalue.Value{tuple}
			got := trip(t, tuple, o).(pyvalue.Tuple)
			inner := got[0].(*pyvalue.List).Items[0].(pyvalue.Tuple)
			if &inner[0] != &got[0] || len(got) != n+1 {
				t.Errorf("the tuple of %d within itself became another one", n+1)
			}
		}
		object := &pyvalue.Object{Func: pyvalue.Global{Module: "m", Name: "C"}, HasState: true}
		list := &pyvalue.List{Items: []pyvalue.Value{object}}
		object.Args, object.State = pyvalue.Tuple{list}, pyvalue.Tuple{object}
		got := trip(t, object, o).(*pyvalue.Object)
		if got.Args.(pyvalue.Tuple)[0].(*pyvalue.List).Items[0] != pyvalue.Value(got) || got.State.(pyvalue.Tuple)[0] != pyvalue.Value(got) {
			t.Error("the object within its own arguments became another one")
		}
	})
}

func TestExceptionsAreInstances(t *testing.T) {
	e := pyvalue.KeyError("k")
	pair := trip(t, pyvalue.Tuple{"#ERROR", e, e}, EncodeOptions{}).(pyvalue.Tuple)
	o, ok := pair[1].(*pyvalue.Object)
	if !ok || o.Func != pyvalue.Value(e.Class) || !pyvalue.Equal(o.Args, e.Args) || o.New || pair[2] != pyvalue.Value(o) {
		t.Errorf("became %v", pair)
	}
}

func TestRefs(t *testing.T) {
	v := pyvalue.Tuple{pyvalue.Ref{ID: 7, Type: "list"}, pyvalue.Ref{ID: 8}}
	if _, err := Encode(nil, v, EncodeOptions{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without a function: %v", err)
	}
	broken := errors.New("broken")
	fail := func(pyvalue.Ref) (pyvalue.Value, error) { return nil, broken }
	if _, err := Encode(nil, v, EncodeOptions{Ref: fail}); !errors.Is(err, broken) {
		t.Errorf("its error became %v", err)
	}
	itself := func(r pyvalue.Ref) (pyvalue.Value, error) { return pyvalue.Tuple{r}, nil }
	if _, err := Encode(nil, v, EncodeOptions{Ref: itself}); !errors.Is(err, mperr.ErrTooLarge) {
		t.Errorf("a reference that stands for itself: %v", err)
	}
	proxy := pyvalue.Global{Module: "multiprocessing.managers", Name: "RebuildProxy"}
	b, err := Encode(nil, v, EncodeOptions{Ref: func(r pyvalue.Ref) (pyvalue.Value, error) {
		return &pyvalue.Object{Func: proxy, Args: pyvalue.Tuple{pyvalue.Uint(r.ID)}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b, Options{Object: func(o *pyvalue.Object) (pyvalue.Value, error) {
		id, _ := pyvalue.Int(o.Args.(pyvalue.Tuple)[0])
		return pyvalue.Ref{ID: uint64(id)}, nil
	}})
	if err != nil || !pyvalue.Equal(got, v) {
		t.Errorf("%s came back (%v)", pyvalue.Repr(got), err)
	}
	if _, err := Decode(b, Options{Object: func(*pyvalue.Object) (pyvalue.Value, error) { return nil, broken }}); !errors.Is(err, broken) {
		t.Errorf("an object that is refused: %v", err)
	}
}

// Object is asked when Python would call, with the arguments complete, and not
// about what Decode knows.
func TestObjectIsAsked(t *testing.T) {
	token := &pyvalue.Object{Func: pyvalue.Global{Module: "m", Name: "Token"}, Args: pyvalue.Tuple{}, New: true, State: pyvalue.Tuple{"list"}, HasState: true}
	v := pyvalue.Tuple{
		&pyvalue.Object{Func: pyvalue.Global{Module: "m", Name: "Rebuild"}, Args: pyvalue.Tuple{token}},
		pyvalue.Slice{Stop: int64(1)},
		complex(1, 2), &pyvalue.ByteArray{B: []byte{1}}, &pyvalue.Set{},
		pyvalue.Range{Start: int64(0), Stop: int64(1), Step: int64(1)},
	}
	protocols(t, func(t *testing.T, o EncodeOptions) {
		b, err := Encode(nil, v, o)
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		_, err = Decode(b, Options{Object: func(o *pyvalue.Object) (pyvalue.Value, error) {
			asked = append(asked, pyvalue.TypeName(o))
			if !pyvalue.Equal(o.Args, pyvalue.Tuple{token}) {
				t.Errorf("arguments are %s", pyvalue.Repr(o.Args))
			}
			return o, nil
		}})
		if err != nil || len(asked) != 1 || asked[0] != "Rebuild" {
			t.Errorf("asked about %v (%v)", asked, err)
		}
	})
}

func TestEncodeRefuses(t *testing.T) {
	deep := pyvalue.Value(pyvalue.Tuple{})
	for range pyvalue.MaxDepth + 10 {
		deep = pyvalue.Tuple{deep}
	}
	named := &pyvalue.Object{Func: pyvalue.Global{Module: "m", Name: "C"}, Args: pyvalue.Tuple{}, New: true, Kwargs: &pyvalue.Dict{}}
	for name, c := range map[string]struct {
		v    pyvalue.Value
		o    EncodeOptions
		want error
	}{
		"protocol 1":      {nil, EncodeOptions{Protocol: 1}, errors.ErrUnsupported},
		"protocol 6":      {nil, EncodeOptions{Protocol: 6}, errors.ErrUnsupported},
		"too deep":        {deep, EncodeOptions{}, mperr.ErrTooLarge},
		"too long":        {strings.Repeat("x", 100), EncodeOptions{MaxBytes: 90}, mperr.ErrTooLarge},
		"no value":        {pyvalue.Tuple{3}, EncodeOptions{}, mperr.ErrType},
		"no arguments":    {&pyvalue.Object{Func: pyvalue.Global{}}, EncodeOptions{}, mperr.ErrType},
		"named arguments": {named, EncodeOptions{Protocol: 3}, errors.ErrUnsupported},
		"name with dots":  {pyvalue.Global{Module: "a", Name: "b.c"}, EncodeOptions{Protocol: 3}, errors.ErrUnsupported},
		"name of lines":   {pyvalue.Global{Module: "a\nb", Name: "c"}, EncodeOptions{Protocol: 3}, errors.ErrUnsupported},
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
	list := &pyvalue.List{}
	for range 100 {
		list.Items = append(list.Items, text, raw, number)
	}
	protocols(t, func(t *testing.T, o EncodeOptions) {
		b, err := Encode(nil, list, o)
		if err != nil || len(b) > 6500 {
			t.Errorf("%d bytes (%v)", len(b), err)
		}
		if !pyvalue.Equal(trip(t, list, o), list) {
			t.Error("came back as something else")
		}
	})
}

// The values of a pickle are not those of its bytes, which are used again.
func TestDecodeCopies(t *testing.T) {
	v := pyvalue.Tuple{"text", []byte("bytes"), &pyvalue.ByteArray{B: []byte("array")}, pyvalue.Global{Module: "m", Name: "n"}}
	protocols(t, func(t *testing.T, o EncodeOptions) {
		b, err := Encode(nil, v, o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b, Options{})
		clear(b)
		if err != nil || !pyvalue.Equal(got, v) {
			t.Errorf("became %s (%v)", pyvalue.Repr(got), err)
		}
	})
}

// A list or dict made of another one does not change with it.
func TestCopiesAreApart(t *testing.T) {
	v, err := Decode(body("](K\x01K\x02e\x940cbuiltins\nlist\nh\x00\x85R(K\x03K\x04eh\x00K\x05a\x86."), Options{})
	if err != nil || pyvalue.Repr(v) != "([1, 2, 3, 4], [1, 2, 5])" {
		t.Errorf("%s (%v)", pyvalue.Repr(v), err)
	}
	v, err = Decode(body("}K\x01Ns\x940cbuiltins\ndict\nh\x00\x85RK\x01K\x02sh\x00\x86."), Options{})
	if err != nil || pyvalue.Repr(v) != "({1: 2}, {1: None})" {
		t.Errorf("%s (%v)", pyvalue.Repr(v), err)
	}
}
