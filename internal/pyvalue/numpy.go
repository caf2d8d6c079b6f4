package pyvalue

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"
)

// numpyScalar takes a scalar of numpy for the number, string or bytes that it
// equals and that it has the hash of. It is pickled as a call of scalar with a
// dtype and the bytes in memory (numpy/_core/src/multiarray/scalartypes.c.src,
// gentype_reduce); a dtype as a call of dtype with a letter and a size, and a
// state whose second part is the order of bytes (descriptor.c, arraydescr_reduce).
func numpyScalar(args Tuple) (Value, bool) {
	if len(args) != 2 {
		return nil, false
	}
	dtype, ok := args[0].(*Object)
	b, isBytes := args[1].([]byte)
	if !ok || !isBytes || dtype.Func != Value(Global{"numpy", "dtype"}) {
		return nil, false
	}
	made, _ := dtype.Args.(Tuple)
	state, _ := dtype.State.(Tuple)
	if len(made) == 0 || len(state) < 2 {
		return nil, false
	}
	code, _ := made[0].(string)
	if len(code) < 2 {
		return nil, false
	}
	size, err := strconv.Atoi(code[1:])
	if err != nil {
		return nil, false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if state[1] == Value(">") {
		order = binary.BigEndian
	}
	switch code[0] {
	case 'S':
		return b, len(b) == size
	case 'U':
		return utf32(b, order), len(b) == 4*size
	}
	if len(b) != size {
		return nil, false
	}
	return numpyNumber(code[0], b, order)
}

func numpyNumber(kind byte, b []byte, order binary.ByteOrder) (Value, bool) {
	switch kind {
	case 'b':
		return len(b) == 1 && b[0] != 0, len(b) == 1
	case 'i', 'u':
		bits, ok := word(b, order)
		if !ok {
			return nil, false
		}
		if kind == 'i' {
			shift := 64 - 8*len(b)
			return int64(bits<<shift) >> shift, true
		}
		if bits > math.MaxInt64 {
			return new(big.Int).SetUint64(bits), true
		}
		return int64(bits), true
	case 'f':
		f, ok := float(b, order)
		return f, ok
	case 'c':
		re, ok := float(b[:len(b)/2], order)
		im, ok2 := float(b[len(b)/2:], order)
		return complex(re, im), ok && ok2
	}
	return nil, false
}

// word is an unsigned integer of 1, 2, 4 or 8 bytes.
func word(b []byte, order binary.ByteOrder) (uint64, bool) {
	switch len(b) {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(order.Uint16(b)), true
	case 4:
		return uint64(order.Uint32(b)), true
	case 8:
		return order.Uint64(b), true
	}
	return 0, false
}

// float is a number of IEEE 754's of 2, 4 or 8 bytes.
func float(b []byte, order binary.ByteOrder) (float64, bool) {
	bits, ok := word(b, order)
	switch {
	case !ok || len(b) == 1:
		return 0, false
	case len(b) == 8:
		return math.Float64frombits(bits), true
	case len(b) == 4:
		return float64(math.Float32frombits(uint32(bits))), true
	}
	sign, exponent, fraction := 1.0, int(bits>>10&31), float64(bits&1023)
	if bits>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24), true
	case 31:
		if fraction != 0 {
			return math.NaN(), true
		}
		return math.Inf(int(sign)), true
	}
	return sign * math.Ldexp(1024+fraction, exponent-25), true
}

func utf32(b []byte, order binary.ByteOrder) string {
	var s []byte
	for ; len(b) >= 4; b = b[4:] {
		s = utf8.AppendRune(s, rune(order.Uint32(b)))
	}
	return string(s)
}
