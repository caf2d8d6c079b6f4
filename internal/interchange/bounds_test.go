package interchange_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// The memory and time that bytes can cost is bounded.
func TestHostile(t *testing.T) {
	// Each list holds the one before twice: 2^40 items.
	var b []byte
	b = append(b, 0x98, 41)
	b = append(b, unhex(t, "d81c80")...)
	for i := range 40 {
		ref := fmt.Sprintf("d81d%02x", i)
		if i > 23 {
			ref = fmt.Sprintf("d81d18%02x", i)
		}
		b = append(b, unhex(t, "d81c82"+ref+ref)...)
	}
	type tree []tree
	if _, err := decode[[]tree](t, b, nil); !errors.Is(err, mperr.ErrCorrupt) || !strings.Contains(err.Error(), "too often") {
		t.Errorf("a list of many: %v", err)
	}
	var shared any
	if err := plan[any](t).Decode(b, &shared, nil); err != nil || len(shared.([]any)) != 41 {
		t.Errorf("an any of many: %v", err)
	}
	v, err := interchange.ParseValue(b)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := interchange.AppendValue(nil, v); err != nil || len(again) != len(b)-2 { // nobody refers to the last list
		t.Errorf("written again %x, %v", again, err)
	}
	// A list that holds itself.
	if _, err := decode[tree](t, unhex(t, "d81c81d81d00"), nil); !errors.Is(err, mperr.ErrCorrupt) || !strings.Contains(err.Error(), "holds itself") {
		t.Errorf("a list in itself: %v", err)
	}
	// References through skipped parts, each to the one before, each deep.
	b = append([]byte{0xa2}, unhex(t, text("skipped"))...)
	b = append(b, 0x99, 0x03, 0xe8)
	for i := range 1000 {
		b = append(b, 0xd8, 0x1c)
		b = append(b, strings.Repeat("\x81", 900)...)
		if i == 0 {
			b = append(b, 0)
			continue
		}
		ref, _ := interchange.AppendValue(nil, int64(i-1))
		b = append(append(b, 0xd8, 0x1d), ref...)
	}
	b = append(b, unhex(t, text("Any"))...)
	b = append(b, 0xd8, 0x1d, 0x19, 0x03, 0xe7)
	_, err = decode[note](t, b, nil)
	if !errors.Is(err, mperr.ErrType) || !strings.Contains(err.Error(), "holds itself or is nested deeper than 1000 levels") {
		t.Errorf("a long chain: %v", err)
	}
}

// One row may stand in very many places, as long as it is small.
func TestManyReferences(t *testing.T) {
	const n = 1 << 20
	row := []any{int64(1), int64(2)}
	rows := make([]any, n)
	for i := range rows {
		rows[i] = row
	}
	v, err := interchange.ToValue(rows, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]int
	if err := interchange.FromValue(v, &got, nil); err != nil {
		t.Fatal(err)
	}
	if len(got) != n || !slices.Equal(got[n-1], []int{1, 2}) {
		t.Errorf("%d rows", len(got))
	}
}

// Small items may be large values: Limits.Bytes bounds those.
func TestBytesAreBounded(t *testing.T) {
	const n, most = 1 << 20, 4 << 20
	array := []byte{0x9a, 0, 0x10, 0, 0} // of n items
	object := unhex(t, "ce83cd8261786179c78000")
	for name, b := range map[string][]byte{
		"numbers": bytes.Repeat([]byte{0}, n),
		"lists":   bytes.Repeat([]byte{0x80}, n),
		"dicts":   bytes.Repeat([]byte{0xa0}, n),
		"sets":    bytes.Repeat([]byte{0xc9, 0x80}, n),
		"objects": bytes.Repeat(object, n),
	} {
		b = append(bytes.Clone(array), b...)
		if err := interchange.Check(b, interchange.Limits{Bytes: most}); !errors.Is(err, mperr.ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
		if err := interchange.Check(b, interchange.Limits{Bytes: 600 * n}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What costs little to say costs little to read, and to write again.
func TestSharedIsCheap(t *testing.T) {
	// A list of two references to a list of two references…, 2^60 items.
	lists := &pyvalue.List{Items: []any{int64(1)}}
	dicts := &pyvalue.Dict{Entries: entries("a", int64(1))}
	mixed := &pyvalue.Dict{Entries: entries(int64(1), int64(1))}
	for range 60 {
		lists = &pyvalue.List{Items: []any{lists, lists}}
		dicts = &pyvalue.Dict{Entries: entries("a", dicts, "b", dicts)}
		mixed = &pyvalue.Dict{Entries: entries(int64(1), mixed, int64(2), mixed)}
	}
	for _, v := range []any{lists, dicts, mixed} {
		var got any
		if err := interchange.FromValue(v, &got, nil); err != nil {
			t.Fatal(err)
		}
		again, err := interchange.ToValue(got, nil)
		if err != nil || pyvalue.Size(again) > 2*pyvalue.Size(v) {
			t.Errorf("a %T of size %d became one of size %d, %v", got, pyvalue.Size(v), pyvalue.Size(again), err)
		}
	}

	// A set in many places is measured once.
	const many = 200_000
	set := &pyvalue.Set{}
	for i := range many {
		set.Items = append(set.Items, int64(i))
	}
	places := &pyvalue.List{}
	for range many {
		places.Items = append(places.Items, set)
	}
	var got []any
	if err := interchange.FromValue(places, &got, nil); err != nil || len(got) != many || got[0] != got[many-1] {
		t.Errorf("a set in %d places is in %d, %v", many, len(got), err)
	}

	// Keys are compared, and what they share is looked at once: here each holds one
	// large tuple.
	big := make(pyvalue.Tuple, 10_000)
	for i := range big {
		big[i] = int64(1_000_000)
	}
	keys := &pyvalue.Set{}
	for range 1000 {
		keys.Items = append(keys.Items, pyvalue.Tuple{int64(1), big})
	}
	b, err := interchange.AppendValue(nil, keys)
	if err != nil {
		t.Fatal(err)
	}
	v, err := interchange.ParseValue(b)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(v.(*pyvalue.Set).Items); n != 1 {
		t.Errorf("%d of 1000 equal keys stay", n)
	}
}

// A list that came in an any is one list when it goes back, and a circle that
// has a pointer in it stays one.
func TestSharingOutOfAny(t *testing.T) {
	list := &pyvalue.List{Items: []any{int64(1)}}
	object := &pyvalue.Object{Func: global("m", "C"), HasState: true}
	around := &pyvalue.List{Items: []any{object}}
	object.State = &pyvalue.Dict{Entries: entries("me", around)}
	var got any
	if err := interchange.FromValue(pyvalue.Tuple{list, list, &pyvalue.List{}, &pyvalue.List{}, around}, &got, nil); err != nil {
		t.Fatal(err)
	}
	v, err := interchange.ToValue(got, nil)
	if err != nil {
		t.Fatal(err)
	}
	back := v.(pyvalue.Tuple)
	if back[0] != back[1] {
		t.Error("one list became two")
	}
	if back[2] == back[3] {
		t.Error("two empty lists became one")
	}
	o := back[4].(*pyvalue.List).Items[0].(*pyvalue.Object)
	if o.State.(*pyvalue.Dict).Entries[0].Value != back[4] {
		t.Error("a list that holds itself by an object holds another one")
	}
}
