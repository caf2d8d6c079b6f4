package interchange

import (
	"encoding/binary"
	"math/big"
	"unicode/utf8"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
	"multiproc/internal/pyvalue"
)

// The tags of the dialect. 0, 2, 3, 28, 29, 258 and 43000 are IANA's; those
// below 24 take one byte, and the ones that we chose are not assigned.
const (
	tagTime      = 0
	tagPositive  = 2 // 2^64 and up, without leading zeros
	tagNegative  = 3 // below -2^64
	tagRef       = codec.TagRef
	tagTuple     = codec.TagTuple
	tagRawText   = 8
	tagFrozenSet = 9
	tagByteArray = 10
	tagSlice     = 11
	tagRange     = 12
	tagGlobal    = 13
	tagObject    = 14
	tagException = 15
	tagShareable = codec.TagShareable
	tagShared    = codec.TagShared
	tagSet       = codec.TagSet
	tagComplex   = 43000
)

// A reference is an id and a type id.
const (
	refID      = 8   // bytes
	maxRefType = 255 // bytes
)

// MaxDepth is how many arrays and maps may stand inside each other. A value
// deeper than that is taken for one that leads back to itself.
const MaxDepth = pyvalue.MaxDepth

func appendText(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		dst = cbor.AppendHead(cbor.AppendHead(dst, cbor.MajorTag, tagRawText), cbor.MajorBytes, uint64(len(s)))
		return append(dst, s...)
	}
	return append(cbor.AppendHead(dst, cbor.MajorText, uint64(len(s))), s...)
}

func appendComplex(dst []byte, c complex128) []byte {
	dst = cbor.AppendHead(cbor.AppendHead(dst, cbor.MajorTag, tagComplex), cbor.MajorArray, 2)
	return cbor.AppendFloat(cbor.AppendFloat(dst, real(c)), imag(c))
}

func appendBig(dst []byte, i *big.Int) []byte {
	if i.IsInt64() {
		return cbor.AppendInt(dst, i.Int64())
	}
	// -1-n has the bits of n; a negative number's magnitude is one more.
	major, tag, n := byte(cbor.MajorUint), uint64(tagPositive), i
	if i.Sign() < 0 {
		major, tag, n = cbor.MajorNegative, tagNegative, new(big.Int).Not(i)
	}
	if n.IsUint64() {
		return cbor.AppendHead(dst, major, n.Uint64())
	}
	return cbor.AppendBytes(cbor.AppendHead(dst, cbor.MajorTag, tag), n.Bytes())
}

// AppendRef appends the content of a reference, as the Export of a
// codec.Exporter returns it, to dst: the object's id, and its type id of at
// most 255 bytes.
func AppendRef(dst []byte, id uint64, typeID string) []byte {
	return append(binary.BigEndian.AppendUint64(dst, id), typeID...)
}

// ParseRef is the inverse of AppendRef, for the Import of a codec.Importer. Its
// error wraps mperr.ErrCorrupt.
func ParseRef(ref []byte) (id uint64, typeID string, err error) {
	if !isRef(ref) {
		return 0, "", codec.Corrupt("a reference of %d bytes", len(ref))
	}
	return binary.BigEndian.Uint64(ref), string(ref[refID:]), nil
}

func isRef(b []byte) bool {
	return len(b) >= refID && len(b) <= refID+maxRefType && utf8.Valid(b[refID:])
}
