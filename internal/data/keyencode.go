package data

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
)

func (k *keyer) text(s string) {
	if w := WTF8(s); !validText(w) {
		s = w
		k.head(6, tagBadText)
		k.head(2, uint64(len(s)))
	} else {
		k.head(3, uint64(len(s)))
	}
	k.dst = append(k.dst, s...)
}

func (k *keyer) integer(z int64) {
	if z < 0 {
		k.head(1, uint64(^z))
		return
	}
	k.head(0, uint64(z))
}

// bigInteger writes integers of 64 bits and a sign in CBOR's short form.
func (k *keyer) bigInteger(x *big.Int) {
	major, tag := byte(0), uint64(2)
	if x.Sign() < 0 {
		x = new(big.Int).Not(x)
		major, tag = 1, 3
	}
	if x.IsUint64() {
		k.head(major, x.Uint64())
		return
	}
	k.head(6, tag)
	k.head(2, uint64((x.BitLen()+7)/8))
	k.dst = append(k.dst, x.Bytes()...)
}

func (k *keyer) float(f float64) {
	if z, wide, ok := (number{kind: aFloat, f: f}).integral(); ok {
		if wide != nil {
			k.bigInteger(wide)
		} else {
			k.integer(z)
		}
		return
	}
	if f != f {
		f = math.NaN()
		k.alone = k.alone || k.mode == localKey
	}
	k.dst = append(k.dst, 0xfb)
	k.dst = binary.BigEndian.AppendUint64(k.dst, math.Float64bits(f))
}

func (k *keyer) complex(c complex128) {
	if imag(c) == 0 {
		k.float(real(c))
		return
	}
	k.head(6, tagComplex)
	k.head(4, 2)
	k.float(real(c))
	k.float(imag(c))
}

// head appends the shortest head of a CBOR item.
func (k *keyer) head(major byte, n uint64) {
	major <<= 5
	switch {
	case n < 24:
		k.dst = append(k.dst, major|byte(n))
	case n <= math.MaxUint8:
		k.dst = append(k.dst, major|24, byte(n))
	case n <= math.MaxUint16:
		k.dst = binary.BigEndian.AppendUint16(append(k.dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		k.dst = binary.BigEndian.AppendUint32(append(k.dst, major|26), uint32(n))
	default:
		k.dst = binary.BigEndian.AppendUint64(append(k.dst, major|27), n)
	}
}

// fraction writes integers and floats as such.
func (k *keyer) fraction(f fraction) error {
	if f.exp > maxExponent || f.exp < -maxExponent {
		return ValueError("a Decimal with an exponent of " + strconv.Itoa(f.exp) + " is no key here: those up to 10 000 are")
	}
	if err := k.spend(f.size()*4 + max(f.exp, -f.exp)); err != nil {
		return err
	}
	num, den := f.parts()
	r := new(big.Rat).SetFrac(num, den)
	switch x, exact := r.Float64(); {
	case r.IsInt():
		k.bigInteger(r.Num())
	case exact:
		k.float(x)
	default:
		k.head(6, tagFraction)
		k.head(4, 2)
		k.bigInteger(r.Num())
		k.bigInteger(r.Denom())
	}
	return nil
}
