package codec

import (
	"bytes"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// The numbers of our CBOR tags. They need not be registered anywhere, since
// the bytes stay within one program; below 24 a tag takes one byte.
const (
	tagTyped  = 6 // [type expression, value]: an any of a type that must be named
	tagHandle = 7 // what Session.Export returned
	tagError  = 8 // [text, names]: an error of a type that has no name
)

// maxDepth is how many arrays, maps and tags may stand inside each other in a
// message. A value deeper than that is taken for one that leads back to itself.
const maxDepth = 10_000

// codings are the ways in which we use fxamacker/cbor.
type codings struct {
	enc   cbor.UserBufferEncMode
	plain cbor.DecMode // into a Go type, for the kind CBOR
	tree  cbor.DecMode // into a tree of any, for the kind Tree
}

// modes makes the codings when they are first used: this package is part of
// every child process, and many send nothing but raw memory.
var modes = sync.OnceValue(func() codings {
	enc := cbor.EncOptions{
		NaNConvert:      cbor.NaNConvertNone, // keep the width, as of all floats
		InfConvert:      cbor.InfConvertNone,
		IndefLength:     cbor.IndefLengthForbidden,
		BinaryMarshaler: cbor.BinaryMarshalerNone, // see customForm
	}
	// Every element takes a byte of input at least, and fxamacker/cbor goes
	// over the whole input before it makes anything. So it is the length of
	// the input that bounds elements and pairs, and the limits can be wide.
	plain := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:   maxDepth,
		MaxArrayElements:  1<<31 - 1,
		MaxMapPairs:       1<<31 - 1,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8DecodeInvalid, // a Go string may hold any bytes
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		BinaryUnmarshaler: cbor.BinaryUnmarshalerNone,
	}
	tree := plain
	tree.TagsMd = cbor.TagsAllowed
	tree.DefaultMapType = reflect.TypeFor[map[string]any]()

	return codings{
		enc:   must(enc.UserBufferEncMode()),
		plain: must(plain.DecMode()),
		tree:  must(tree.DecMode()),
	}
})

// must is for options, which are constants of this file.
func must[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

// appendItem appends the CBOR of item to dst.
func appendItem(dst []byte, item any) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	if err := modes().enc.MarshalToBuffer(item, buf); err != nil {
		return dst, err
	}
	return buf.Bytes(), nil
}
