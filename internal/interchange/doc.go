// Package interchange says how values become bytes that every program of a
// manager reads alike: those of other Go programs, and, by way of
// [multiproc/internal/pyvalue], those of Python.
//
// The bytes are one item of CBOR (RFC 8949) in the form that package
// [multiproc/mp/driver] specifies.
//
// # Go types
//
// [OfType] and [For] look at a type once, refuse it or make a plan of it, and
// remember the plan. The plan, and the walk over types and values, are those of
// package codec, of which this is a [codec.Dialect]. So are the rules: what a type
// declares travels, or the type is refused with the path to the part that
// cannot. What differs is that the reader may have declared another type:
//
//   - A field is found by its name, or by the name that a tag mp:"name" gives
//     it. Unknown names are ignored, missing ones leave a zero. Fields of
//     embedded structs stand beside the others, unless the embedded struct has
//     a tag or a form of its own; two fields of one name are refused. A struct
//     is also read from a list or tuple of as many items, and from the
//     attributes of a Python object.
//   - Slices and arrays are also read from tuples and sets, floats from
//     integers, bytes from bytearrays. What does not fit is an error.
//   - Structs with unexported fields need a form of their own, as in codec:
//     MarshalText makes a text of them, MarshalBinary or GobEncode bytes.
//   - A pointer to a nil pointer, slice or map arrives as nil.
//   - A time loses its monotonic clock and its zone's name; a zone with seconds
//     becomes UTC. A datetime without a zone is taken for UTC.
//   - What is in an any arrives as nil, bool, int, *big.Int, float64,
//     complex128, string, []byte, []any, time.Time, map[string]any (if all keys
//     are text; map[any]any if all can be keys in Go; else *pyvalue.Dict), or as
//     one of the types of package pyvalue, with such values inside; only
//     *pyvalue.List and *pyvalue.Dict hold what that package says they hold. A handle
//     in an any arrives as a pyvalue.Ref.
//   - Parts that are one object in Python are one in an any, also on the way
//     back, and copies in typed values. Maps that hold such parts are written in
//     no order. A list, tuple or dict that holds itself is refused, except for a
//     *pyvalue.List or *pyvalue.Dict: whoever prints such a value dies of it.
//
// Of two equal keys in a map the last counts, as in Python. What a plan writes,
// the same plan reads: keys of a map that are or hold an any, and would have no
// == any more at the reader (a struct, which becomes a tuple) or would be equal
// there (int8(1) and int64(1)), are an error of the writer.
//
// # What is relied on
//
// Nothing: the bytes come from strangers. What is not in the dialect is an
// error that wraps [mperr.ErrCorrupt]. Depth is bounded by [MaxDepth], the
// memory taken by a multiple of the input's length (see maxExpansion for typed
// values with shared parts). No name on the wire is ever looked up.
package interchange
