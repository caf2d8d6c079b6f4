package objects

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"unicode/utf8"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// arrayCode is a type code of Python's array module: how its elements are laid
// out on a 64-bit Unix, and how CPython complains of what does not fit.
type arrayCode struct {
	name         byte
	width        int
	signed, text bool
	float        bool
	through      byte // the code of the C type that CPython converts to first
	// What a number that is too large for the C type is called, and the one
	// that CPython converts through, for those which that cannot even hold.
	below, above, beyond string
}

const (
	cLong       = "Python int too large to convert to C long"
	cULong      = "Python int too large to convert to C unsigned long"
	negUnsigned = "can't convert negative value to unsigned int"
	tooBig      = "int too big to convert"
)

var arrayCodes = []arrayCode{
	{name: 'b', width: 1, signed: true, through: 'h', below: "signed char is less than minimum", above: "signed char is greater than maximum", beyond: cLong},
	{name: 'B', width: 1, below: "unsigned byte integer is less than minimum", above: "unsigned byte integer is greater than maximum", beyond: cLong},
	{name: 'u', width: 4, text: true},
	{name: 'w', width: 4, text: true},
	{name: 'h', width: 2, signed: true, below: "signed short integer is less than minimum", above: "signed short integer is greater than maximum", beyond: cLong},
	{name: 'H', width: 2, through: 'i', below: "unsigned short is less than minimum", above: "unsigned short is greater than maximum", beyond: cLong},
	{name: 'i', width: 4, signed: true, below: "signed integer is less than minimum", above: "signed integer is greater than maximum", beyond: cLong},
	{name: 'I', width: 4, below: negUnsigned, above: "unsigned int is greater than maximum", beyond: cULong},
	{name: 'l', width: 8, signed: true, beyond: cLong},
	{name: 'L', width: 8, below: negUnsigned, beyond: cULong},
	{name: 'q', width: 8, signed: true, beyond: tooBig},
	{name: 'Q', width: 8, below: "can't convert negative int to unsigned", beyond: tooBig},
	{name: 'f', width: 4, float: true},
	{name: 'd', width: 8, float: true},
}

func codeOf(v pyvalue.Value) (*arrayCode, error) {
	s, ok := v.(string)
	if !ok || utf8.RuneCountInString(s) != 1 {
		return nil, pyvalue.TypeError("array() argument 1 must be a unicode character, not " + pyvalue.TypeName(v))
	}
	if k := arrayCodeNamed(s[0]); k != nil {
		return k, nil
	}
	return nil, pyvalue.ValueError("bad typecode (must be b, B, u, h, H, i, I, l, L, q, Q, f or d)")
}

// arrayCodeNamed returns nil for what is no code.
func arrayCodeNamed(name byte) *arrayCode {
	for i := range arrayCodes {
		if arrayCodes[i].name == name {
			return &arrayCodes[i]
		}
	}
	return nil
}

// pickled is how a manager pickles an array.
func (k *arrayCode) pickled(b []byte) store.Item {
	if b == nil {
		b = []byte{}
	}
	return store.Of(&pyvalue.Object{Func: arrayClass, Args: pyvalue.Tuple{string(k.name), b}})
}

// check refuses raw elements that are no characters, which CPython finds when
// it reads them.
func (k *arrayCode) check(b []byte) error {
	for ; k.text && len(b) > 0; b = b[k.width:] {
		if r := binary.NativeEndian.Uint32(b); r > utf8.MaxRune {
			return pyvalue.ValueError(fmt.Sprintf("character U+%x is not in range [U+0000; U+10ffff]", r))
		}
	}
	return nil
}

// arrayElements are those of a pickled array.
func arrayElements(args pyvalue.Tuple) ([]pyvalue.Value, error) {
	k, err := codeOf(args[0])
	if err != nil {
		return nil, err
	}
	b, ok := args[1].([]byte)
	if !ok || len(b)%k.width != 0 {
		return nil, pyvalue.ValueError("bytes length not a multiple of item size")
	}
	if err := k.check(b); err != nil {
		return nil, err
	}
	out := make([]pyvalue.Value, 0, len(b)/k.width)
	for ; len(b) > 0; b = b[k.width:] {
		out = append(out, k.load(b))
	}
	return out, nil
}

// load reads an element from the front of b.
func (k *arrayCode) load(b []byte) pyvalue.Value {
	var n uint64
	switch k.width {
	case 1:
		n = uint64(b[0])
	case 2:
		n = uint64(binary.NativeEndian.Uint16(b))
	case 4:
		n = uint64(binary.NativeEndian.Uint32(b))
	default:
		n = binary.NativeEndian.Uint64(b)
	}
	switch {
	case k.text:
		return character(rune(n))
	case k.float && k.width == 4:
		return float64(math.Float32frombits(uint32(n)))
	case k.float:
		return math.Float64frombits(n)
	case k.signed:
		shift := 64 - 8*k.width
		return int64(n<<shift) >> shift
	}
	return pyvalue.Uint(n)
}

// character is a text of one code point, which may be a surrogate.
func character(r rune) string {
	if r >= 0xd800 && r < 0xe000 {
		return string([]byte{0xed, 0x80 | byte(r>>6)&0x3f, 0x80 | byte(r)&0x3f})
	}
	return string(r)
}

// codePoint is the inverse of character.
func codePoint(s string) (rune, bool) {
	parts := characters(s)
	if len(parts) != 1 {
		return 0, false
	}
	s = parts[0].(string)
	if len(s) == 3 && s[0] == 0xed && s[1] >= 0xa0 {
		return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), true
	}
	r, _ := utf8.DecodeRuneInString(s)
	return r, true
}

func (k *arrayCode) encodeAll(items []store.Item) (b []byte, err error) {
	b = make([]byte, 0, len(items)*k.width)
	for _, it := range items {
		if b, err = k.append(b, it.Value()); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// append writes an element, or complains as CPython does.
func (k *arrayCode) append(b []byte, v pyvalue.Value) ([]byte, error) {
	switch {
	case k.text:
		s, isText := v.(string)
		r, ok := codePoint(s)
		if !isText || !ok {
			return nil, pyvalue.TypeError("array item must be unicode character")
		}
		return binary.NativeEndian.AppendUint32(b, uint32(r)), nil
	case k.float:
		f, err := pyvalue.Float(v)
		if err != nil {
			return nil, err
		}
		if k.width == 4 {
			return binary.NativeEndian.AppendUint32(b, math.Float32bits(float32(f))), nil
		}
		return binary.NativeEndian.AppendUint64(b, math.Float64bits(f)), nil
	}
	n, err := k.integer(v)
	if err != nil {
		return nil, err
	}
	switch k.width {
	case 1:
		return append(b, byte(n)), nil
	case 2:
		return binary.NativeEndian.AppendUint16(b, uint16(n)), nil
	case 4:
		return binary.NativeEndian.AppendUint32(b, uint32(n)), nil
	}
	return binary.NativeEndian.AppendUint64(b, n), nil
}

// integer is the two's complement of an int that is in the range of the code.
func (k *arrayCode) integer(v pyvalue.Value) (uint64, error) {
	x, ok := pyvalue.BigInt(v)
	if !ok {
		return 0, pyvalue.TypeError("'" + pyvalue.TypeName(v) + "' object cannot be interpreted as an integer")
	}
	if k.through != 0 {
		if _, err := arrayCodeNamed(k.through).integer(v); err != nil {
			return 0, err
		}
	}
	bits := 8 * k.width
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(bits))
	if k.signed {
		high.Rsh(high, 1)
		low.Neg(high)
	}
	switch {
	case x.Cmp(low) >= 0 && x.Cmp(high) < 0:
		if x.IsUint64() {
			return x.Uint64(), nil
		}
		return uint64(x.Int64()), nil
	case x.Sign() < 0 && k.below != "" && (x.IsInt64() || !k.signed && k.beyond != cLong):
		return 0, overflow(k.below)
	case x.Sign() > 0 && k.above != "" && (x.IsInt64() || k.beyond == cULong && x.IsUint64()):
		return 0, overflow(k.above)
	}
	return 0, overflow(k.beyond)
}
