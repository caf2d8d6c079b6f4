package codec_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"
)

var errSession = errors.New("the session is over")

func second[T any](_ T, err error) error { return err }

// damage is bytes that are no T, and what the error must mention.
type damage struct {
	name  string
	bytes string // hexadecimal
	run   func(t *testing.T, b []byte)
}

func broken[T any](name, bytes, mention string) damage {
	return damage{name, bytes, func(t *testing.T, b []byte) {
		var v, zero T
		err := plan[T](t).Decode(b, &v, new(table))
		wantCorrupt(t, err)
		if err != nil && !strings.Contains(err.Error(), mention) {
			t.Errorf("error %q does not mention %q", err, mention)
		}
		if !same(v, zero) {
			t.Errorf("the value was changed to %#v", v)
		}
	}}
}

func TestCorrupt(t *testing.T) {
	type holder struct {
		List []map[string]any
		Next *list
	}
	deepList := strings.Repeat("8200", 12_000) + "f6"
	for _, tt := range []damage{
		broken[int64]("raw short", "01020304050607", "7 bytes instead of 8"),
		broken[int64]("raw long", "010203040506070809", "9 bytes instead of 8"),
		broken[struct{}]("nothing expected", "00", "1 bytes instead of 0"),
		broken[order]("struct empty", "", "codec_test.order"),
		broken[order]("struct trailing", "830061"+"61fb0000000000000000"+"00", "1 bytes after the end"),
		broken[order]("struct as a map", "a1634e6f7000", "a dict of 1 for codec_test.order"),
		broken[order]("struct of too many fields", "84006161fb000000000000000000", "a list of 4 for codec_test.order"),
		broken[order]("struct cut off", "83006161fb00000000", "longer than the value"),
		broken[order]("text cut off", "8300616"[:6]+"7f", "longer than the value"),
		broken[order]("wrong type", "83616100fb0000000000000000", `.ID: shared memory or message is corrupt: the text "a" for int64`),
		broken[order]("struct with tag", "c6a0", "tag"),
		broken[order]("float of other width", "83006161fa00000000", "the float 0 for float64"),
		broken[order]("integer not the shortest", "831800"+"6161fb0000000000000000", "shortest form"),
		broken[[]string]("indefinite", "9fff", "not definite"),
		broken[map[int8]bool]("overflow", "a11903e8f5", "the integer 1000 for int8"),
		broken[map[int8]bool]("same key twice", "a201f501f5", "the same key twice"),
		broken[map[string]int]("same text twice", "a2616101616101", "the same key twice"),
		broken[any]("same text twice in any", "a2616101616101", "the same key twice"),
		broken[map[int8]bool]("map cut off", "a201f5", "longer than the value"),
		broken[[]string]("count", "9b7fffffffffffffff", "[]string: "),
		broken[map[string]int]("count of pairs", "bb7fffffffffffffff", "map[string]int: "),
		broken[list]("tree empty", "", "longer than the value"),
		broken[list]("tree trailing", "8200f600", "1 bytes after the end"),
		broken[list]("tree null", "f6", "codec_test.list: "),
		broken[list]("tree too few", "8100", "a list of 1 for codec_test.list"),
		broken[list]("tree wrong type", "820082f4f6", "codec_test.list.Next.Value: shared memory or message is corrupt: the bool false for int"),
		broken[list]("tree overflow", "821bfffffffffffffffff6", ".Value"),
		broken[list]("tree big integer", "823bfffffffffffffffff6", ".Value"),
		broken[list]("tree too deep", deepList, "nested deeper"),
		broken[[]float64]("block not whole", "4401020304", "4 bytes for []float64"),
		broken[[2]string]("array short", "816161", "a list of 1 for [2]string"),
		broken[map[point]string]("pairs odd", "81480000000000000000", "a list of 1"),
		broken[map[point]string]("key twice", "a2480000000000000000614148000000000000000061"+"42", "the same key twice"),
		broken[map[any]string]("slice as key", "a1806161", "a key that has no =="),
		broken[map[[1]any]string]("slice in key", "a1818061"+"61", "a key that has no =="),
		broken[**int]("pointer not wrapped", "00", "for **int"),
		broken[time.Time]("bad form", "4101", "time.Time: "),
		broken[*queue[int]]("handle as bytes", "4130", "for *codec_test.queue[int]"),
		broken[*queue[int]]("handle with other tag", "c94130", "for *codec_test.queue[int]"),
		broken[any]("too large for int", "1bffffffffffffffff", "for int"),
		broken[any]("big integer", "c24101", "for any"),
		broken[any]("time", "c100", "for any"),
		broken[any]("simple value", "e5", "for any"),
		broken[any]("key no text", "a10000", "interface {}"),
		broken[any]("other tag", "c800", "tag 8"),
		broken[any]("typed no list", "c700", "tag 7"),
		broken[any]("typed too long", "c783000000", "tag 7"),
		broken[any]("typed no name", "c7820000", "the name of a type"),
		broken[any]("typed overflow", "c78264"+hex.EncodeToString([]byte("int8"))+"190100", "interface {}(int8): "),
		broken[any]("typed any", "c78263"+hex.EncodeToString([]byte("any"))+"00", "an any that holds an any"),
		broken[any]("typed cannot travel", "c7826d"+hex.EncodeToString([]byte("map[*int]bool"))+"80", "cannot travel"),
		broken[any]("typed huge elements", "c7826f"+hex.EncodeToString([]byte("[][65536]string"))+"9a00010000"+strings.Repeat("f6", 1<<16), "null for [65536]string"),
		broken[any]("typed slow hash", "c782781a"+hex.EncodeToString([]byte("[1048576][1048576]struct{}"))+"80", "an array of more than"),
		broken[holder]("path", "8281a1"+"6161c700f6", "codec_test.holder.List[0][a]: "),
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := hex.DecodeString(tt.bytes)
			if err != nil {
				t.Fatal(err)
			}
			tt.run(t, b)
		})
	}
}

// A receiver that has not registered a type is told so.
func TestUnknownName(t *testing.T) {
	var v any
	err := plan[any](t).Decode([]byte("\xc7\x82\x64nope\x00"), &v, nil)
	const want = `interface {}: type expression "nope": no type is named "nope" in this process; call mp.RegisterType before mp.Init`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// TestCycles: a value that leads back to itself must be an error, since a
// stack overflow cannot be recovered from.
func TestCycles(t *testing.T) {
	ring := &list{Value: 1}
	ring.Next = ring
	type pointer *pointer
	var self pointer
	self = &self
	loop := forest{nil}
	loop[0] = loop
	var inAny any
	inAny = &inAny
	list := []any{nil}
	list[0] = list
	dict := map[string]any{}
	dict["self"] = dict
	branches := &tree{Kids: map[string]*tree{}}
	branches.Kids["a"], branches.Kids["b"] = branches, branches

	for name, err := range map[string]error{
		"struct":   second(plan[any](t).Append(nil, ptr[any](tree{Any: branches}), nil)),
		"list":     second(planAppend(t, ring)),
		"pointer":  second(planAppend(t, self)),
		"slice":    second(planAppend(t, loop)),
		"any":      second(planAppend(t, inAny)),
		"anys":     second(planAppend(t, any(list))),
		"map":      second(planAppend(t, any(dict))),
		"branches": second(planAppend(t, branches)),
	} {
		if err == nil || !strings.HasSuffix(err.Error(), ": the value is cyclic or nested deeper than 10000 levels") {
			t.Errorf("%s: %v", name, err)
		} else if len(err.Error()) > 400 {
			t.Errorf("%s: the error has %d bytes: %v", name, len(err.Error()), err)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func planAppend[T any](t *testing.T, v T) ([]byte, error) {
	t.Helper()
	return plan[T](t).Append(nil, &v, nil)
}

// What may just be encoded must also be decoded: both count levels alike.
func TestDepthAgrees(t *testing.T) {
	chain := func(n int) *list {
		var head *list
		for range n {
			head = &list{Next: head}
		}
		return head
	}
	travel(t, chain(10_000), nil)
	if _, err := planAppend(t, chain(10_001)); err == nil {
		t.Error("a list of 10001 should be too deep")
	}
	nested := func(n int) any {
		var x any = int8(1) // a tag and an array
		for range n {
			x = []any{x}
		}
		return x
	}
	travel(t, nested(9_998), nil)
	if _, err := planAppend(t, nested(9_999)); err == nil {
		t.Error("9999 lists around a tag should be too deep")
	}
}
