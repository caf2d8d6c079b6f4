package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// EncodeOptions are what Encode may be told. The zero value is ready to use.
type EncodeOptions struct {
	// Protocol is 2 to 5; 0 stands for 4, which Python reads from 3.4 on.
	Protocol int

	// MaxBytes is how long the pickle may become; 0 is unbounded. A value whose
	// parts are shared is not longer than its memory, but a Ref is written anew
	// each time.
	MaxBytes int

	// Ref returns what stands for a reference in the pickle, a call of RebuildProxy
	// mostly. It is needed if there are any.
	Ref func(r pyvalue.Ref) (pyvalue.Value, error)
}

// Encode appends the pickle of v to dst. What is shared in v is shared in what
// Python loads, and what contains itself does so there. A Go string that is not
// valid text arrives in the form of pyvalue.WTF8, an *pyvalue.Exception as an instance
// of its class.
//
// Errors wrap mperr.ErrTooLarge if v is nested more than pyvalue.MaxDepth deep or
// the pickle is too long, mperr.ErrType if v is no pyvalue.Value, and
// errors.ErrUnsupported if the protocol cannot say it. On an error dst is returned
// as it was.
func Encode(dst []byte, v pyvalue.Value, o EncodeOptions) ([]byte, error) {
	e := encoder{options: o, dst: dst, start: len(dst), protocol: o.Protocol}
	if e.protocol == 0 {
		e.protocol = 4
	}
	if e.protocol < lowestProtocol || e.protocol > highestProtocol {
		return dst, fmt.Errorf("pickle: protocol %d; 2 to 5 are known: %w", o.Protocol, errors.ErrUnsupported)
	}
	if e.options.MaxBytes <= 0 {
		e.options.MaxBytes = math.MaxInt
	}
	e.dst = append(e.dst, opProto, byte(e.protocol))
	if err := e.save(v, 0); err != nil {
		return dst, fmt.Errorf("pickle: %w", err)
	}
	return append(e.dst, opStop), nil
}

// encoder writes one pickle. Frames, which are but hints for readers of streams,
// are left out.
type encoder struct {
	options  EncodeOptions
	protocol int
	dst      []byte
	start    int
	memo     memo
}

// save writes one value, which is then on the loader's stack.
func (e *encoder) save(v pyvalue.Value, depth int) error {
	switch v := v.(type) {
	case nil:
		e.op(opNone)
	case bool:
		if v {
			e.op(opNewTrue)
		} else {
			e.op(opNewFalse)
		}
	case int64:
		e.integer(v)
	case float64:
		e.dst = binary.BigEndian.AppendUint64(append(e.dst, opBinFloat), math.Float64bits(v))
	case string:
		e.text(v)
	default:
		if depth > pyvalue.MaxDepth {
			return fmt.Errorf("values nested more than %d deep: %w", pyvalue.MaxDepth, mperr.ErrTooLarge)
		}
		if err := e.saveOther(v, depth+1); err != nil {
			return err
		}
	}
	if n := len(e.dst) - e.start; n > e.options.MaxBytes {
		return fmt.Errorf("more than %d bytes: %w", e.options.MaxBytes, mperr.ErrTooLarge)
	}
	return nil
}

// saveOther writes what may have been written before, and what is made of other
// values.
func (e *encoder) saveOther(v pyvalue.Value, depth int) error {
	if t, ok := v.(pyvalue.Tuple); ok && len(t) == 0 {
		e.op(opEmptyTuple)
		return nil
	}
	id, ok := pyvalue.Identity(v)
	if ok && e.recall(id) {
		return nil
	}
	switch v := v.(type) {
	case []byte:
		return e.bytes(v, id, ok, depth)
	case *big.Int:
		e.bigInteger(v)
		if ok {
			e.memoize(id)
		}
		return nil
	case pyvalue.Tuple:
		return e.tuple(v, id, depth)
	case *pyvalue.List:
		e.op(opEmptyList)
		e.memoize(id)
		return e.items(v.Items, opAppend, opAppends, depth)
	case *pyvalue.Dict:
		e.op(opEmptyDict)
		e.memoize(id)
		return e.entries(v.Entries, depth)
	case *pyvalue.Set:
		return e.set(v, id, depth)
	case *pyvalue.FrozenSet:
		return e.frozenSet(v, id, depth)
	case *pyvalue.ByteArray:
		return e.byteArray(v, id, depth)
	case pyvalue.Ref:
		return e.ref(v, depth)
	}
	return e.saveCall(v, id, depth)
}

func (e *encoder) op(c byte) { e.dst = append(e.dst, c) }

// sized writes an opcode and a length in little-endian bytes.
func (e *encoder) sized(op byte, width, n int) {
	e.op(op)
	for i := range width {
		e.op(byte(n >> (8 * i)))
	}
}

func (e *encoder) integer(n int64) {
	switch {
	case n >= 0 && n <= math.MaxUint8:
		e.dst = append(e.dst, opBinInt1, byte(n))
	case n >= 0 && n <= math.MaxUint16:
		e.sized(opBinInt2, 2, int(n))
	case n >= math.MinInt32 && n <= math.MaxInt32:
		e.sized(opBinInt, 4, int(n))
	default:
		width := 8
		for width > 1 && n>>(8*width-9) == n>>63 { // one byte less has the sign, too
			width--
		}
		e.dst = append(e.dst, opLong1, byte(width))
		for i := range width {
			e.op(byte(n >> (8 * i)))
		}
	}
}

// bigInteger writes two's complement, the lowest byte first.
func (e *encoder) bigInteger(x *big.Int) {
	width := x.BitLen()/8 + 1
	if x.Sign() < 0 {
		x = new(big.Int).Add(x, new(big.Int).Lsh(big.NewInt(1), uint(8*width)))
	}
	b := x.FillBytes(make([]byte, width))
	slices.Reverse(b)
	if width <= math.MaxUint8 {
		e.sized(opLong1, 1, width)
	} else {
		e.sized(opLong4, 4, width)
	}
	e.dst = append(e.dst, b...)
}

func (e *encoder) text(s string) {
	id, long := pyvalue.Identity(s)
	if long && e.recall(id) {
		return
	}
	s = pyvalue.WTF8(s)
	switch {
	case len(s) <= math.MaxUint8 && e.protocol >= 4:
		e.sized(opShortBinUnicode, 1, len(s))
	case len(s) <= math.MaxUint32:
		e.sized(opBinUnicode, 4, len(s))
	default:
		e.sized(opBinUnicode8, 8, len(s))
	}
	e.dst = append(e.dst, s...)
	if long {
		e.memoize(id)
	}
}

func (e *encoder) bytes(b []byte, id pyvalue.ID, long bool, depth int) error {
	if e.protocol < 3 {
		return e.latin1(b, id, long, depth)
	}
	switch {
	case len(b) <= math.MaxUint8:
		e.sized(opShortBinBytes, 1, len(b))
	case len(b) <= math.MaxUint32:
		e.sized(opBinBytes, 4, len(b))
	default:
		e.sized(opBinBytes8, 8, len(b))
	}
	e.dst = append(e.dst, b...)
	if long {
		e.memoize(id)
	}
	return nil
}

// latin1 writes bytes as protocol 2 has them.
func (e *encoder) latin1(b []byte, id pyvalue.ID, long bool, depth int) error {
	var err error
	if len(b) == 0 {
		err = e.reduce(depth, "builtins", "bytes")
	} else {
		text := make([]rune, len(b))
		for i, c := range b {
			text[i] = rune(c)
		}
		err = e.reduce(depth, "_codecs", "encode", string(text), "latin1")
	}
	if err == nil && long {
		e.memoize(id)
	}
	return err
}

func (e *encoder) ref(r pyvalue.Ref, depth int) error {
	if e.options.Ref == nil {
		return fmt.Errorf("a reference to %s %x cannot be written here: %w", r.Type, r.ID, errors.ErrUnsupported)
	}
	v, err := e.options.Ref(r)
	if err != nil {
		return err
	}
	return e.save(v, depth)
}
