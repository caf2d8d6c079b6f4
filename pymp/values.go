package pymp

import "multiproc/internal/data"

// The types of Python for which Go has none of its own. They are to be found in
// results of type any, and may be part of arguments.
type (
	// Tuple is a tuple. A Go slice is sent as a list.
	Tuple = data.Tuple
	// List is a list whose identity matters: one that contains itself.
	List = data.List
	// Dict is a dict with its order, or with keys that no Go map takes.
	Dict = data.Dict
	// Entry is a key of a Dict and its value.
	Entry = data.Entry
	// Set is a set, FrozenSet a frozenset.
	Set = data.Set
	// FrozenSet is a frozenset.
	FrozenSet = data.FrozenSet
	// ByteArray is a bytearray.
	ByteArray = data.ByteArray
	// Slice is what l[1:3] passes to __getitem__: Slice{1, 3, nil}.
	Slice = data.Slice
	// Range is a range.
	Range = data.Range
	// Global is a class or a function, by its name.
	Global = data.Global
	// Object is an instance of a class that is known by name only. It can be
	// sent back as it came.
	Object = data.Object
)
