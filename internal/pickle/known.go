package pickle

import (
	"math/big"
	"slices"

	"multiproc/internal/pyvalue"
)

// known returns what a call of one of Python's own types gives. ok is false for
// any other, and for arguments that these types are not pickled with: the call
// stays an object then.
func (d *decoder) known(g pyvalue.Global, args pyvalue.Tuple) (v pyvalue.Value, ok bool, err error) {
	if g == (pyvalue.Global{Module: "_codecs", Name: "encode"}) {
		return d.latin1(args)
	}
	if g.Module != "builtins" {
		return nil, false, nil
	}
	switch g.Name {
	case "slice":
		v, ok = sliceOf(args)
	case "range":
		v, ok = rangeOf(args)
	case "complex":
		v, ok = complexOf(args)
	case "bytes":
		return []byte{}, len(args) == 0, nil
	case "bytearray":
		return d.byteArray(args)
	case "list", "set", "frozenset", "dict":
		return d.copyOf(g.Name, args)
	}
	return v, ok, nil
}

// sliceOf takes None and integers only, as slices of any use have. Parts that
// are containers would be shared by slices, which are no pointers, and then
// nothing could tell a small value from the huge one that it stands for.
func sliceOf(args pyvalue.Tuple) (pyvalue.Value, bool) {
	if len(args) != 3 {
		return nil, false
	}
	for _, a := range args {
		if a != nil && !isInteger(a) {
			return nil, false
		}
	}
	return pyvalue.Slice{Start: args[0], Stop: args[1], Step: args[2]}, true
}

func isInteger(v pyvalue.Value) bool {
	switch v.(type) {
	case int64, *big.Int, bool:
		return true
	}
	return false
}

func rangeOf(args pyvalue.Tuple) (pyvalue.Value, bool) {
	if len(args) != 3 {
		return nil, false
	}
	for _, a := range args {
		if !isInteger(a) {
			return nil, false
		}
	}
	if args[2] == pyvalue.Value(int64(0)) {
		return nil, false
	}
	return pyvalue.Range{Start: args[0], Stop: args[1], Step: args[2]}, true
}

func complexOf(args pyvalue.Tuple) (pyvalue.Value, bool) {
	if len(args) != 2 {
		return nil, false
	}
	re, ok := args[0].(float64)
	im, both := args[1].(float64)
	return complex(re, im), ok && both
}

// copyOf makes the sets of protocols 2 and 3, and the lists that Python makes of
// the views of dicts. Without an argument they are empty.
func (d *decoder) copyOf(name string, args pyvalue.Tuple) (pyvalue.Value, bool, error) {
	var items []pyvalue.Value
	var entries []pyvalue.Entry
	if len(args) > 1 {
		return nil, false, nil
	}
	if len(args) == 1 {
		ok := false
		if items, entries, ok = literal(args[0]); !ok || (entries != nil) != (name == "dict") {
			return nil, false, nil
		}
	}
	if err := d.charge(32 * (len(items) + len(entries))); err != nil {
		return nil, false, err
	}
	if err := d.spend(32 * (len(items) + len(entries))); err != nil {
		return nil, false, err
	}
	switch name {
	case "list":
		return &pyvalue.List{Items: slices.Clone(items)}, true, nil
	case "dict":
		return &pyvalue.Dict{Entries: slices.Clone(entries)}, true, nil
	case "set":
		set := &pyvalue.Set{}
		return set, true, d.addItems(set, &set.Items, items)
	}
	set := &pyvalue.FrozenSet{}
	return set, true, d.addItems(set, &set.Items, items)
}

// literal returns what a container holds.
func literal(v pyvalue.Value) (items []pyvalue.Value, entries []pyvalue.Entry, ok bool) {
	switch v := v.(type) {
	case *pyvalue.List:
		return v.Items, nil, true
	case pyvalue.Tuple:
		return v, nil, true
	case *pyvalue.Dict:
		return nil, v.Entries[:len(v.Entries):len(v.Entries)], v.Entries != nil
	}
	return nil, nil, false
}

func (d *decoder) byteArray(args pyvalue.Tuple) (pyvalue.Value, bool, error) {
	switch len(args) {
	case 0:
		return &pyvalue.ByteArray{B: []byte{}}, true, nil
	case 1:
		if b, ok := args[0].([]byte); ok {
			return &pyvalue.ByteArray{B: slices.Clip(b)}, true, nil
		}
	case 2:
		v, ok, err := d.latin1(args)
		b, _ := v.([]byte)
		return &pyvalue.ByteArray{B: b}, ok, err
	}
	return nil, false, nil
}

// latin1 is how protocol 2, which has no bytes, writes them: as a text of the
// characters U+0000 to U+00FF.
func (d *decoder) latin1(args pyvalue.Tuple) (pyvalue.Value, bool, error) {
	if len(args) != 2 || args[1] != pyvalue.Value("latin1") && args[1] != pyvalue.Value("latin-1") {
		return nil, false, nil
	}
	text, ok := args[0].(string)
	if !ok {
		return nil, false, nil
	}
	if err := d.charge(len(text)); err != nil {
		return nil, false, err
	}
	if err := d.spend(len(text)); err != nil {
		return nil, false, err
	}
	b := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, false, corrupt("bytes are written as a text with U+%04X in it", r)
		}
		b = append(b, byte(r))
	}
	return b, true, nil
}
