package pymp

import "multiproc/internal/pyvalue"

// The types of Python for which Go has none of its own. They are to be found in
// results of type any, and may be part of arguments.
type (
	// Tuple is a tuple. A Go slice is sent as a list.
	Tuple = pyvalue.Tuple
	// List is a list whose identity matters: one that contains itself.
	List = pyvalue.List
	// Dict is a dict with its order, or with keys that no Go map takes.
	Dict = pyvalue.Dict
	// Entry is a key of a Dict and its value.
	Entry = pyvalue.Entry
	// Set is a set, FrozenSet a frozenset.
	Set = pyvalue.Set
	// FrozenSet is a frozenset.
	FrozenSet = pyvalue.FrozenSet
	// ByteArray is a bytearray.
	ByteArray = pyvalue.ByteArray
	// Slice is what l[1:3] passes to __getitem__: Slice{1, 3, nil}.
	Slice = pyvalue.Slice
	// Range is a range.
	Range = pyvalue.Range
	// Global is a class or a function, by its name.
	Global = pyvalue.Global
	// Object is an instance of a class that is known by name only. It can be
	// sent back as it came.
	Object = pyvalue.Object
)
