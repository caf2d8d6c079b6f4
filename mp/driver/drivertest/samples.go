package drivertest

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"multiproc/internal/pyvalue"
)

// samples are values of all sorts, which a place keeps as they are.
func samples() []pyvalue.Value {
	huge := new(big.Int).Lsh(big.NewInt(1), 200)
	return []pyvalue.Value{
		nil, true, false,
		int64(0), int64(-1), int64(math.MaxInt64), int64(math.MinInt64), huge, new(big.Int).Neg(huge),
		0.0, 1.5, math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(0, -1), complex(1, -2),
		"", "text", "ä世\x00", strings.Repeat("long", 20_000),
		[]byte{},
		[]byte{0, 255},
		&pyvalue.ByteArray{B: []byte("b")},
		pyvalue.Tuple{},
		pyvalue.Tuple{int64(1), "x"},
		&pyvalue.List{}, &pyvalue.List{Items: []pyvalue.Value{int64(1), &pyvalue.List{}, nil}},
		&pyvalue.Dict{}, &pyvalue.Dict{Entries: []pyvalue.Entry{{Key: "k", Value: 1.0}, {Key: pyvalue.Tuple{int64(1)}, Value: nil}}},
		&pyvalue.Set{Items: []pyvalue.Value{int64(1)}}, &pyvalue.FrozenSet{Items: []pyvalue.Value{"f"}},
		pyvalue.Range{Start: int64(0), Stop: int64(3), Step: int64(1)},
	}
}

func sampleItems(t *testing.T) [][]byte {
	t.Helper()
	return items(t, samples()...)
}
