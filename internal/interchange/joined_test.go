package interchange_test

import (
	"bytes"
	"reflect"
	"testing"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
)

// Elements that were written each by itself are read as what they are, whatever
// they share, and what was written as a whole is left alone.
func TestJoined(t *testing.T) {
	pair := func(n int) any {
		row := []any{n, "\x1d", 29, 28}
		return []any{row, row}
	}
	join := func(items ...[]byte) []byte {
		return append([]byte{byte(0x80 + len(items))}, bytes.Join(items, nil)...)
	}
	write := func(v any) []byte { return encode(t, v, nil) }
	many := make([]any, 0, 40)
	for i := range 20 {
		many = append(many, pair(i), pair(i))
	}
	all := []any{pair(1), many, "x", pair(2), pair(3)}
	elements := make([][]byte, len(all))
	for i, v := range all {
		elements[i] = write(v)
	}
	for name, tt := range map[string]struct {
		src  []byte
		want any
	}{
		"elements":           {join(elements...), all},
		"arrays of elements": {join(join(elements...), join(elements[3], elements[0]), []byte{5}), []any{all, []any{pair(2), pair(1)}, 5}},
	} {
		if got, err := decode[any](t, interchange.Joined(tt.src), nil); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	shared := []any{1}
	for _, v := range []any{
		29, "\x1d",
		[]any{},
		pair(1),
		[]any{pair(1), pair(2)},
		[]any{shared, []any{shared, pair(2), pair(3)}, pair(4), 29},
		map[string]any{"a": pair(1)},
		pyvalue.Tuple{pair(1), pair(2)},
	} {
		if src := write(v); !bytes.Equal(interchange.Joined(src), src) {
			t.Errorf("%v, which was written as a whole, has become %x from %x", v, interchange.Joined(src), src)
		}
	}
	for _, src := range [][]byte{nil, {29}, {0x82, 0xd8, 29}, {0x82, 0xd8, 29, 0}, {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 29}} {
		if got := interchange.Joined(src); !bytes.Equal(got, src) {
			t.Errorf("%x has become %x", src, got)
		}
	}
}
