package drivertest

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"multiproc/internal/data"
)

// samples are values of all sorts, which a place keeps as they are.
func samples() []data.Value {
	huge := new(big.Int).Lsh(big.NewInt(1), 200)
	return []data.Value{
		nil, true, false,
		int64(0), int64(-1), int64(math.MaxInt64), int64(math.MinInt64), huge, new(big.Int).Neg(huge),
		0.0, 1.5, math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(0, -1), complex(1, -2),
		"", "text", "ä世\x00", strings.Repeat("long", 20_000),
		[]byte{},
		[]byte{0, 255},
		&data.ByteArray{B: []byte("b")},
		data.Tuple{},
		data.Tuple{int64(1), "x"},
		&data.List{}, &data.List{Items: []data.Value{int64(1), &data.List{}, nil}},
		&data.Dict{}, &data.Dict{Entries: []data.Entry{{Key: "k", Value: 1.0}, {Key: data.Tuple{int64(1)}, Value: nil}}},
		&data.Set{Items: []data.Value{int64(1)}}, &data.FrozenSet{Items: []data.Value{"f"}},
		data.Range{Start: int64(0), Stop: int64(3), Step: int64(1)},
	}
}

func sampleItems(t *testing.T) [][]byte {
	t.Helper()
	return items(t, samples()...)
}
