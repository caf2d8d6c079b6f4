// Package driver says what a place must offer in which shared objects live:
// the seam between the typed faces of package mp and managers, clusters and
// whatever comes, as database/sql/driver is for databases. Programs do not
// use it.
//
// # Writing a driver
//
// A driver implements Place, and for each kind of object that it offers the
// interface of that name: Dict, List, Set, Value, Queue, Mutex and so on. These
// are small: what a store can do that compares and swaps one key at a time. A
// place may offer one kind and refuse the others.
//
// The interfaces with longer names, such as DictAdder and ListEditor, are
// optional. An object implements those that its place can do in one step; package
// mp looks for them once, when it opens the object. Of the others it builds what
// compare-and-swap can build, with the same meaning and at the cost of a second
// round trip. What would have to change several entries at one moment, or to wait,
// is not built: a call of it returns an error that wraps errors.ErrUnsupported and
// names the object, the place and the method, without asking the place. So does a
// New function for a kind that the place does not offer, or of which its object
// lacks a method.
//
// Key, Equal and Sum are what values mean, for places that do not want to know.
// The example is a whole driver of two kinds to begin with. The suite in
// multiproc/mp/driver/drivertest tests a driver, and skips what it does not offer.
//
// # Values
//
// Values cross the seam as bytes: each is one item of CBOR (RFC 8949), so that
// programs in every language read it. Package mp writes and reads them; a place
// may keep them as they are, unread. What it must know of them:
//
//	Go (fields, elements)   item                               Python
//	nil pointer, slice, map null                               None
//	bool                    true, false                        bool
//	int…, uint…, big.Int    integer; beyond 64 bits tag 2, 3   int
//	float32, float64        float of 8 bytes                   float
//	complex64, complex128   tag 43000 [re, im]                 complex
//	string                  text; not UTF-8: tag 8 bytes       str
//	[]byte, [n]byte         bytes                              bytes
//	                        tag 10 bytes                       bytearray
//	slice, array            array                              list
//	array as a key          tag 7 array                        tuple
//	map                     map, sorted by the keys' bytes     dict
//	map[K]struct{}          tag 258 array, sorted              set
//	                        tag 9 array                        frozenset
//	struct                  map of text                        dict
//	struct as a key         tag 7 array of the fields          tuple
//	time.Time               tag 0 text, RFC 3339               datetime.datetime
//	                        tag 11 [start, stop, step]         slice, null where left out
//	                        tag 12 [start, stop, step]         range
//	                        tag 13 [module, name]              class, function
//	                        tag 14 [called, args, flags, …]    any other object, kept unread
//	error                   tag 15 [module, class, [args]]     exception
//	a handle                tag 6 bytes, from Embed            proxy
//	the same pointer again  tag 28 item, tag 29 index          the same object
//
// There is one way to write each number, text and length: the shortest.
// Lengths are definite, other tags and simple values are refused, depth is
// bounded by 1000. So two integers, texts or byte strings are equal if their
// bytes are.
//
// Keys of a Dict and values of a Set have no list, dict or set in them. Two are
// the same if Python calls them equal: 1, 1.0 and true are one key. Maps in
// them are sorted by the bytes of their keys, as section 4.2.1 of RFC 8949 has
// it. Methods that compare or add (Has, Index, Count, CompareAndSwap, Add, Sort)
// go by Python's ==, < and +; the suite in multiproc/mp/driver/drivertest
// compares a place with the twin there, call by call.
//
// A value may hold handles: tag 6 over the bytes that Embed returned for this
// place. A place keeps an object alive for as long as a value in it refers to
// it.
//
// # Calls
//
// All methods are safe for concurrent use. A method that takes a context
// returns its error when it ends, and then nothing happened; the other
// conditions are the sentinels of package mp, wrapped with the object's name.
// If the connection to the place breaks for good while a call is under way, its
// fate is unknown, and the call returns an error that wraps mp.ErrUnknownFate.
package driver
