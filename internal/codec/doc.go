// Package codec says how values of Go types become bytes.
//
// It has the engine, the walk over types and values that writes and reads items
// of CBOR, and one of the two dialects that use it: the native one, for another
// process of this program. The other one, which every program of a manager
// reads, is in package interchange. A [Dialect] chooses the form of each type and
// brings what only it has; the [Encoder] writes that form and the [Decoder]
// reads it back. What else may stand for a value is for the dialect's [Reader].
//
// [Of] looks at a type once, refuses it or makes a [Plan] of it, and remembers
// the plan. In the native dialect a plan belongs to one of four kinds, in the
// order of their cost:
//
//	kind    types                                  bytes
//	Raw     no pointer in them: numbers, bools,    their memory
//	        arrays and structs of those
//	Bytes   []byte and named ones                  nil: none; else 1, themselves
//	String  string and named ones                  themselves
//	Item    all others                             one item of CBOR
//
// In an item, structs are arrays of their fields, and what has no pointer in it
// is a byte string of its memory. So is a slice of such elements.
//
// # What travels
//
// Everything that a type declares, or nothing: a type of which a part would
// be lost is refused by Of, with the path to that part. Struct tags are not
// heeded, for they speak of other formats, and json:"-" would lose a field.
// Nil and empty slices and maps stay what they are.
// Strings may hold any bytes. Two pointers to one variable arrive as pointers
// to two; a value that leads back to itself is an error.
//
// A struct with unexported fields travels only if it brings a form of its own
// (MarshalBinary and UnmarshalBinary, GobEncode and GobDecode, or MarshalText
// and UnmarshalText), as time.Time and big.Int do.
//
// What is in an any, or in another interface, keeps its exact type: nil, bool,
// int, float64, string, []byte, []any and map[string]any travel as they are,
// every other type is named on the wire, and its named parts must have been
// introduced with [RegisterType]. An error of a type that was not travels as the
// errors of tasks do: its text, and the registered errors in its tree.
//
// A pointer that is a [Handle] is not followed: the [Exporter] says by which
// bytes the other process will find the same shared object. Neither is a pointer
// to an open file of a type that [RegisterFile] was told of; a [File] stands for it.
//
// # What is relied on
//
// Both ends are the same program, so that plans are the same on both sides
// (their fingerprints tell), and memory means the same. The bytes may still
// be bad, after a crash or from a stranger: decoding checks shape and size and
// answers with [mperr.ErrCorrupt]. It does not panic, unless a type's own
// UnmarshalBinary does, and the memory that it takes is bounded by the length
// of the input times the size of the types.
//
// The engine relies on how Go keeps slices and anys in memory (slice, eface),
// and on strings of one short message sharing their memory (shortMessage).
package codec
