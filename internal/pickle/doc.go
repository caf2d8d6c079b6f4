// Package pickle turns Python's pickles into data and data into pickles, and
// nothing else: no name in a pickle is ever looked up, let alone called. What a
// pickle would call becomes a pyvalue.Object that remembers the call, but for some
// of Python's own types, which become the values that they are:
//
//	builtins.slice range complex bytearray   pyvalue.Slice, pyvalue.Range, complex128, *pyvalue.ByteArray
//	builtins.set frozenset list dict bytes   *pyvalue.Set … of a literal argument
//	_codecs.encode(text, 'latin1')           bytes, as protocol 2 writes them
//
// Protocols 2 to 5 are read, 2 to 5 are written. Those before need a parser for
// text and were given up with Python 2; they are refused, and so are pickles that
// point outside of themselves (persistent ids, extension codes, out-of-band
// buffers) and the two opcodes of instances of Python 1.
//
// A pickle comes from a peer that knows the key and may be hostile all the same.
// Decoding is not recursive. What it allocates is at most about a hundred times
// the length of the pickle and usually three times, because each opcode makes a
// value of fixed size or one as long as what it has read, and sharing stays
// sharing; Options.MaxBytes bounds it further. Functions that write such values
// out, among them Encode, keep the sharing too or have limits of their own.
package pickle

import "multiproc/internal/pyvalue"

// The opcodes that Python writes in protocols 2 to 5, and the older binary ones
// that loaders take.
const (
	opMark            = '('
	opStop            = '.'
	opPop             = '0'
	opPopMark         = '1'
	opDup             = '2'
	opBinFloat        = 'G'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinInt2         = 'M'
	opNone            = 'N'
	opReduce          = 'R'
	opBinString       = 'T'
	opShortBinString  = 'U'
	opBinUnicode      = 'X'
	opAppend          = 'a'
	opBuild           = 'b'
	opGlobal          = 'c'
	opDict            = 'd'
	opEmptyDict       = '}'
	opAppends         = 'e'
	opBinGet          = 'h'
	opLongBinGet      = 'j'
	opList            = 'l'
	opEmptyList       = ']'
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opSetItem         = 's'
	opTuple           = 't'
	opEmptyTuple      = ')'
	opSetItems        = 'u'
	opProto           = 0x80
	opNewObj          = 0x81
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opLong4           = 0x8b
	opBinBytes        = 'B'
	opShortBinBytes   = 'C'
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opNewObjEx        = 0x92
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
	opByteArray8      = 0x96
)

// What is refused with a reason.
var refused = map[byte]string{
	'P': "persistent id", 'Q': "persistent id",
	0x82: "extension code", 0x83: "extension code", 0x84: "extension code",
	0x97: "out-of-band buffer", 0x98: "out-of-band buffer",
	'i': "instance of a Python 1 class", 'o': "instance of a Python 1 class",
	'F': "opcode of protocol 0", 'I': "opcode of protocol 0", 'L': "opcode of protocol 0", 'S': "opcode of protocol 0",
	'V': "opcode of protocol 0", 'g': "opcode of protocol 0", 'p': "opcode of protocol 0",
}

// Bounds of pickles.
const (
	highestProtocol = 5
	lowestProtocol  = 2
	// DefaultDepth is how deep the values of a pickle may be nested if the
	// options say nothing. CPython's own pickler gives up at some 500 before
	// 3.12, and at thousands now.
	DefaultDepth = pyvalue.MaxDepth
)
