package drivertest

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
)

// value takes the next value off the tape. Few values and many forms of the
// same, so that they meet.
func (t *tape) value(depth int) pyvalue.Value {
	if t.pick(4) > 0 {
		return t.theme[t.pick(len(t.theme))]
	}
	const nested = 8
	n := t.pick(len(leaves) + nested)
	if n < len(leaves) {
		return leaves[n]
	}
	var items []pyvalue.Value
	if depth < 2 {
		for range t.pick(3) {
			items = append(items, t.value(depth+1))
		}
	}
	switch n - len(leaves) {
	case 0, 1:
		return pyvalue.Tuple(items)
	case 2:
		return &pyvalue.List{Items: items}
	case 3:
		return &pyvalue.Dict{Entries: entriesFrom(items)}
	case 4:
		return &pyvalue.Set{Items: membersFrom(items)}
	case 5:
		return &pyvalue.FrozenSet{Items: membersFrom(items)}
	case 6:
		return instance("app", "Thing", items...)
	}
	pair := instance("app", "Pair", items...) // a namedtuple, or a subclass of int or str
	pair.New = true
	return pair
}

// membersFrom are those that can be members of a set, each once.
func membersFrom(items []pyvalue.Value) (out []pyvalue.Value) {
	for _, e := range entriesFrom(items) {
		out = append(out, e.Key)
	}
	return out
}

// entriesFrom are entries of a dict with keys that can be keys, each once.
func entriesFrom(items []pyvalue.Value) (out []pyvalue.Entry) {
	seen := map[string]bool{}
	for _, v := range items {
		k, err := pyvalue.KeyOf(v, pyvalue.MaxKeyWork)
		if err == nil && !seen[k.CoarseKey()] {
			seen[k.CoarseKey()] = true
			out = append(out, pyvalue.Entry{Key: v, Value: int64(len(out))})
		}
	}
	return out
}

func encoded(v pyvalue.Value) []byte {
	b, err := interchange.AppendValue(nil, v)
	if err != nil {
		panic(fmt.Sprintf("%s cannot be sent: %v", pyvalue.Repr(v), err))
	}
	return b
}

// instance is what Python makes by a call of a class.
func instance(module, class string, args ...pyvalue.Value) *pyvalue.Object {
	return &pyvalue.Object{Func: pyvalue.Global{Module: module, Name: class}, Args: pyvalue.Tuple(args)}
}

// power is ±2 to the n, plus d.
func power(sign int64, n uint, d int64) pyvalue.Value {
	x := new(big.Int).Lsh(big.NewInt(sign), n)
	return pyvalue.Norm(x.Add(x, big.NewInt(d)))
}

// numeric are numbers of all kinds and sizes that have an order.
var numeric = []pyvalue.Value{
	int64(0), int64(1), true, false, int64(-1), int64(2), int64(3), int64(200),
	int64(1 << 53), int64(1<<53 + 1), int64(math.MaxInt64), int64(math.MinInt64), power(1, 63, 0), power(-1, 63, -1),
	power(1, 64, -1), power(1, 200, 1), power(-1, 200, 0), power(1, 2000, 0), power(-1, 2000, 0),
	0.0, math.Copysign(0, -1), 1.0, 1.5, -1.0, 0.1, float64(1 << 53), float64(1 << 63), math.MaxFloat64, math.SmallestNonzeroFloat64,
	math.Inf(1), math.Inf(-1),
	instance("decimal", "Decimal", "1"), instance("decimal", "Decimal", "1.50"), instance("decimal", "Decimal", "-0"),
	instance("decimal", "Decimal", "1E+3"), instance("fractions", "Fraction", int64(1), int64(1)),
	instance("fractions", "Fraction", int64(3), int64(2)), instance("fractions", "Fraction", int64(1), int64(10)),
	instance("http", "HTTPStatus", int64(200)),
}

// strung are texts and bytes of all kinds.
var strung = []pyvalue.Value{
	"", "a", "b", "ä", "\xed\xb3\xbf", "1", []byte{}, []byte("a"), []byte("b"), &pyvalue.ByteArray{B: []byte("a")}, &pyvalue.ByteArray{},
}

// others are neither numbers nor texts.
var others = func() []pyvalue.Value {
	offset := func(seconds int64) pyvalue.Value {
		return instance("datetime", "timezone", instance("datetime", "timedelta", int64(0), seconds, int64(0)))
	}
	noon, one := []byte{7, 230, 1, 2, 12, 0, 0, 0, 0, 0}, []byte{7, 230, 1, 2, 13, 0, 0, 0, 0, 0}
	return []pyvalue.Value{
		nil, nil, math.NaN(), complex(1, 0), complex(1, 2), complex(math.NaN(), 1), complex(0, math.Inf(1)),
		pyvalue.Range{Start: int64(0), Stop: int64(3), Step: int64(2)},
		pyvalue.Range{Start: int64(0), Stop: int64(4), Step: int64(2)},
		pyvalue.Range{Start: int64(3), Stop: int64(0), Step: int64(1)},
		pyvalue.Slice{Start: nil, Stop: int64(1), Step: nil},
		pyvalue.Global{Module: "builtins", Name: "len"},
		instance("decimal", "Decimal", "NaN"), instance("decimal", "Decimal", "Infinity"),
		instance("app", "Color", int64(1)), instance("app", "Color", int64(2)), instance("app", "Color", "a"),
		instance("datetime", "datetime", noon, offset(0)), instance("datetime", "datetime", one, offset(3600)),
		instance("datetime", "datetime", noon), instance("datetime", "date", noon[:4]), instance("datetime", "time", noon[4:]),
		instance("datetime", "timedelta", int64(1), int64(0), int64(0)), offset(0), offset(3600),
		instance("app", "Point"), instance("collections", "deque", &pyvalue.List{}),
		&pyvalue.Object{Func: pyvalue.Global{Module: "collections", Name: "OrderedDict"}, Args: pyvalue.Tuple{}, Entries: []pyvalue.Entry{{Key: "a", Value: int64(1)}}},
	}
}()

// gathered are sequences, sets and dicts that have much in common.
var gathered = []pyvalue.Value{
	pyvalue.Tuple{},
	pyvalue.Tuple{int64(1)},
	pyvalue.Tuple{1.0},
	pyvalue.Tuple{int64(1), "a"},
	&pyvalue.List{}, &pyvalue.List{Items: []pyvalue.Value{true}},
	&pyvalue.List{Items: []pyvalue.Value{int64(1), nil}}, &pyvalue.Set{}, &pyvalue.Set{Items: []pyvalue.Value{int64(1)}}, &pyvalue.FrozenSet{},
	&pyvalue.FrozenSet{Items: []pyvalue.Value{1.0}}, &pyvalue.FrozenSet{Items: []pyvalue.Value{int64(1), "a"}}, &pyvalue.Dict{},
	&pyvalue.Dict{Entries: []pyvalue.Entry{{Key: int64(1), Value: nil}}}, &pyvalue.Dict{Entries: []pyvalue.Entry{{Key: true, Value: nil}}},
}

var (
	leaves = slices.Concat(strung, others, numeric)
	themes = [][]pyvalue.Value{numeric, strung, gathered, leaves}
)
