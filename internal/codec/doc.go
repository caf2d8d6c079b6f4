// Package codec says how values of Go types become bytes that another process
// of this program reads back.
//
// [Of] looks at a type once, refuses it or makes a [Plan] of it, and remembers
// the plan. A plan belongs to one of five kinds, in the order of their cost:
//
//	kind    types                                  bytes
//	Raw     no pointer in them: numbers, bools,    their memory
//	        arrays and structs of those
//	Bytes   []byte and named ones                  nil: none; else 1, themselves
//	String  string and named ones                  themselves
//	CBOR    structs, maps, slices, pointers of     one CBOR item, written and
//	        the plain sort                         read by fxamacker/cbor alone
//	Tree    all others                             one CBOR item, by way of a tree
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
// A pointer that is a [Handle] is not followed: the [Session] says by which
// bytes the other process will find the same shared object.
//
// # What is relied on
//
// Both ends are the same program, so that plans are the same on both sides
// (their fingerprints tell), and memory means the same. The bytes may still
// be bad, after a crash or from a stranger: decoding checks shape and size and
// answers with [mperr.ErrCorrupt]. It does not panic, unless a type's own
// UnmarshalBinary does, and the memory that it takes is bounded by the length
// of the input times the size of the types.
package codec
