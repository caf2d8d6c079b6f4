// Package pyvalue is Python's model of values in Go: the types of what a Python
// program can pickle and a Go program can send, and what Python's operators do with
// them: equality, hashing, order, sum, slices, repetition, truth. All places that
// keep shared objects take the meaning of values from here.
//
// Values are shared freely and never changed once they have been handed on.
// Only decoders, which build a value before anybody else sees it, fill in the
// pointer types; those are pointers so that a value may contain itself, as a
// Python list may.
package pyvalue

// Value is one of
//
//	nil                 None
//	bool                bool
//	int64               int of 64 bits
//	*big.Int            int outside of 64 bits, never one that fits
//	float64             float, with NaN and the infinities
//	complex128          complex
//	string              str; lone surrogates are kept as their three bytes
//	[]byte              bytes
//	*ByteArray          bytearray
//	Tuple               tuple
//	*List               list
//	*Dict               dict, in its order
//	*Set, *FrozenSet    set, frozenset
//	Slice, Range        slice, range
//	Global              a class or function, by its name; it is never looked up
//	*Object             an instance of a class that is known by name only
//	Ref                 a reference to an object of the same manager
//	*Exception          an exception; decoders make Objects of them, see AsException
type Value = any

// Tuple is a Python tuple.
type Tuple []Value

// ByteArray is a Python bytearray.
type ByteArray struct{ B []byte }

// List is a plain Python list: a value, not a shared list.
type List struct{ Items []Value }

// Dict is a plain Python dict: a value, not a shared dict. No two keys are
// equal in Python's sense.
type Dict struct{ Entries []Entry }

// Entry is a key and its value.
type Entry struct{ Key, Value Value }

// Set is a plain Python set. No two items are equal in Python's sense.
type Set struct{ Items []Value }

// FrozenSet is a Python frozenset.
type FrozenSet struct{ Items []Value }

// Slice is a Python slice. Its parts are nil or integers: a decoder makes an
// Object of any other, for sharing cannot be seen through a Slice.
type Slice struct{ Start, Stop, Step Value }

// Range is a Python range; its parts are integers.
type Range struct{ Start, Stop, Step Value }

// Global is the name of a class or a function.
type Global struct{ Module, Name string }

// String is the full name, "queue.Full".
func (g Global) String() string { return g.Module + "." + g.Name }

// Object is a Python object as its pickle describes it: by what it was made
// and what was then put into it. It is opaque to everybody but the encoder,
// which writes it back as it came.
type Object struct {
	Func     Value // what was called: a Global, mostly
	Args     Value // the arguments: a Tuple, mostly
	Kwargs   Value // keyword arguments of __newobj_ex__; nil otherwise
	New      bool  // made by NEWOBJ or NEWOBJ_EX, not by REDUCE
	State    Value // for BUILD
	HasState bool
	Items    []Value // appended to it, for subclasses of list and the like
	Entries  []Entry // set in it, for subclasses of dict
	Nanos    uint16  // of a datetime.datetime that a Go program sent, beyond the microsecond
}

// Ref is a reference to a shared object of the manager in which the value is
// kept: a proxy in Python, a handle in Go.
type Ref struct {
	ID   uint64
	Type string // the type id: "list", "dict", "Queue", …

	// What the Python side said of its proxy, to be told again: the proxy's
	// class, and for an AutoProxy the exposed names.
	Proxy   Global
	Exposed []string
}

// Exception is a Python exception as data. It is the error that the objects
// of a manager answer with, so that both languages learn its class.
type Exception struct {
	Class Global
	Args  Tuple
	Cause error // the Go error it stands for, if there is one; errors.Is sees it
}
