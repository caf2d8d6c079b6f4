package cbor_test

import (
	"encoding/hex"
	"math"
	"testing"

	"multiproc/internal/cbor"
)

// TestHeads writes arguments at the borders of all widths and reads them back.
func TestHeads(t *testing.T) {
	for major := byte(cbor.MajorUint); major < cbor.MajorSimple; major++ {
		for _, n := range []uint64{0, 23, 24, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxUint64} {
			b := cbor.AppendHead([]byte{0xff}, major, n)
			for _, read := range []func([]byte, int) (byte, uint64, int){cbor.Head, cbor.LongHead, cbor.LooseHead} {
				if m, got, next := read(b, 1); m != major || got != n || next != len(b) {
					t.Errorf("%x: major %d, argument %d, %d bytes", b, m, got, next)
				}
				if len(b) > 2 {
					if _, _, next := read(b[:len(b)-1], 1); next != 0 {
						t.Errorf("%x without its last byte is taken for a head", b)
					}
				}
			}
		}
	}
}

func TestHeadRefuses(t *testing.T) {
	for _, tt := range []struct {
		bytes string
		loose int // where LooseHead finds the end
	}{
		{"", 0},
		{"1817", 2}, // not the shortest form
		{"1900ff", 3},
		{"1a0000ffff", 5},
		{"1b00000000ffffffff", 9},
		{"f818", 2}, // simple values with an argument
		{"f90000", 3},
		{"1c", 0}, // reserved
		{"5f", 0}, // indefinite
		{"9f", 0},
		{"ff", 0},
	} {
		b, err := hex.DecodeString(tt.bytes)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, next := cbor.Head(b, 0); next != 0 {
			t.Errorf("%s is taken for a head", tt.bytes)
		}
		if _, _, next := cbor.LooseHead(b, 0); next != tt.loose {
			t.Errorf("%s loosely ends at %d instead of %d", tt.bytes, next, tt.loose)
		}
	}
}

func TestFloats(t *testing.T) {
	b := cbor.AppendFloat(nil, -2.5)
	if major, bits, next := cbor.Head(b, 0); major != cbor.MajorSimple || math.Float64frombits(bits) != -2.5 || next != 9 {
		t.Errorf("%x: major %d, bits %x, %d bytes", b, major, bits, next)
	}
}
