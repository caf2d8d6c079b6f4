package pyvalue

import "math/big"

// An Object is an instance of a class that is known by its name only. What it
// equals depends on its class; but how Python pickles it says something:
//
//   - decimal.Decimal, fractions.Fraction, uuid.UUID, and dates, times and zones
//     are known. So are the enumerations of numbers of Python's own library, and
//     the scalars of numpy.
//   - NEWOBJ with arguments is an instance of a subclass of str, int, float,
//     bytes or tuple, which give their value as the one argument, or a
//     namedtuple, which gives its fields. Both equal what they contain. A
//     namedtuple of one field looks like the former, and is taken for it: so it
//     equals its field, and there is doubt whether it equals a tuple.
//   - NEWOBJ with items or entries is a subclass of list or dict.
//   - A call of the class with one argument can be a member of an Enum, which
//     equals nothing else, or of an IntEnum or StrEnum, which equals its value:
//     there is doubt.
//
// Where there is doubt a comparison that depends on it is an error. Nothing is
// guessed, and nothing is missed in silence.

// reading is what an Object is taken for.
type reading struct {
	is    Value // what it equals; the Object itself if no more is known
	maybe Value // what it may equal too
	doubt bool  // maybe counts
	lost  bool  // its class is known, but not what it equals
}

// read takes an Object for what it is.
func read(o *Object) reading {
	plain := reading{is: o}
	class, ok := o.Func.(Global)
	args, isTuple := o.Args.(Tuple)
	if !ok || !isTuple || o.Kwargs != nil {
		return plain
	}
	if o.New {
		return readNew(o, class, args)
	}
	if v, ok := readKnown(o, class, args); ok {
		return reading{is: v}
	}
	if lostClasses[class] {
		return reading{is: o, lost: true}
	}
	if m, ok := subclassOfTime(o, args); ok {
		return reading{is: o, maybe: m, doubt: true}
	}
	if len(args) != 1 || len(o.Items) > 0 || len(o.Entries) > 0 || distinctModules[class.Module] {
		return plain
	}
	if list, ok := args[0].(*List); ok { // a subclass of frozenset or set, with attributes or without
		if simple(list.Items) {
			return reading{is: o, maybe: &FrozenSet{Items: list.Items}, doubt: true}
		}
	}
	if o.HasState {
		return plain
	}
	switch v := args[0].(type) {
	case nil, bool, int64, *big.Int, float64, complex128, string, []byte:
		return reading{is: o, maybe: v, doubt: true}
	case Tuple:
		if simple(v) {
			return reading{is: o, maybe: v, doubt: true}
		}
	}
	return plain
}

// lostClasses are known; but not every instance can be compared.
var lostClasses = map[Global]bool{
	{"datetime", "datetime"}: true, {"datetime", "time"}: true, {"decimal", "Decimal"}: true, {"fractions", "Fraction"}: true,
}

// lost is the error of such an instance.
func lost(o *Object) *Exception {
	text := TypeName(o) + " that cannot be compared here: it has too many digits"
	if isTime(o) {
		text = TypeName(o) + " that cannot be compared here: the class of its tzinfo is not known; use astimezone(timezone.utc)"
	}
	return TypeError("a " + text)
}

// subclassOfTime takes an Object of an unknown class that is pickled as one of
// the classes of module datetime.
func subclassOfTime(o *Object, args Tuple) (Value, bool) {
	if len(args) == 0 {
		return nil, false
	}
	b, _ := args[0].([]byte)
	names := map[int]string{4: "date", 6: "time", 10: "datetime"}
	return momentOf(o, Global{"datetime", names[len(b)]}, args)
}

// simple reports whether values contain no others: comparing them twice costs
// little.
func simple(items []Value) bool {
	for _, v := range items {
		switch v.(type) {
		case nil, bool, int64, *big.Int, float64, complex128, string, []byte:
		default:
			return false
		}
	}
	return true
}

// readNew is read for NEWOBJ.
func readNew(o *Object, class Global, args Tuple) reading {
	parts := len(o.Items) + len(o.Entries)
	switch {
	case class == Global{"uuid", "UUID"}:
		if m, ok := uuidOf(o); ok {
			return reading{is: m}
		}
	case len(args) == 0 && len(o.Items) == parts && parts > 0:
		return reading{is: &List{Items: o.Items}}
	case len(args) == 0 && len(o.Entries) == parts && parts > 0:
		return reading{is: &Dict{Entries: o.Entries}}
	case len(args) == 1 && parts == 0:
		switch v := args[0].(type) {
		case int64, *big.Int, float64, string, []byte:
			return reading{is: v, maybe: args, doubt: true}
		case Tuple:
			return reading{is: v, maybe: args, doubt: simple(v)}
		}
		return reading{is: args}
	case len(args) > 1 && parts == 0:
		return reading{is: args}
	}
	return reading{is: o}
}

// readKnown is read for calls of classes of Python's own library.
func readKnown(o *Object, class Global, args Tuple) (v Value, ok bool) {
	switch class.Module {
	case "decimal":
		return decimalOf(class, args)
	case "fractions":
		return fractionOf(class, args)
	case "datetime":
		return momentOf(o, class, args)
	case "builtins":
		if class.Name == "slice" && len(args) == 3 { // its parts are no integers
			return Slice{args[0], args[1], args[2]}, true
		}
	case "collections":
		return collectionOf(o, class, args)
	case "numpy._core.multiarray", "numpy.core.multiarray":
		if class.Name == "scalar" && !o.HasState {
			return numpyScalar(args)
		}
	case "time", "os", "posix", "pwd", "grp", "resource":
		// A sequence of the system: (fields, more fields by name). It equals
		// a tuple.
		if len(args) == 2 && !o.HasState {
			fields, isTuple := args[0].(Tuple)
			_, isDict := args[1].(*Dict)
			return fields, isTuple && isDict
		}
	}
	if numberEnums[class] && len(args) == 1 && !o.HasState {
		return args[0], true
	}
	return nil, false
}

// collectionOf takes what equals a dict for one. An OrderedDict has an order
// only for another one, which is looked at elsewhere.
func collectionOf(o *Object, class Global, args Tuple) (Value, bool) {
	switch class.Name {
	case "OrderedDict", "defaultdict":
		return &Dict{Entries: o.Entries}, len(o.Items) == 0
	case "Counter":
		if len(args) == 1 && len(o.Entries) == 0 {
			d, ok := args[0].(*Dict)
			return d, ok
		}
	}
	return nil, false
}

// isOrdered reports whether o is an OrderedDict.
func isOrdered(o *Object) bool { return o.Func == Value(Global{"collections", "OrderedDict"}) }

// numberEnums are enumerations of Python's own library whose members equal their
// values.
var numberEnums = map[Global]bool{
	{"http", "HTTPStatus"}: true, {"http", "HTTPMethod"}: true,
	{"signal", "Signals"}: true, {"signal", "Handlers"}: true, {"signal", "Sigmasks"}: true,
	{"socket", "AddressFamily"}: true, {"socket", "SocketKind"}: true, {"socket", "AddressInfo"}: true, {"socket", "MsgFlag"}: true,
	{"re", "RegexFlag"}: true, {"inspect", "_ParameterKind"}: true, {"ssl", "TLSVersion"}: true,
}

// distinctModules are those of classes that are no Enum and are made by a call
// with one argument: their instances equal no plain value.
var distinctModules = map[string]bool{
	"builtins": true, "pathlib": true, "pathlib._local": true, "ipaddress": true, "collections": true, "functools": true,
	"datetime": true, "decimal": true, "fractions": true, "operator": true, "array": true, "itertools": true,
	"zoneinfo": true, "queue": true, "_queue": true, "threading": true, "random": true, "types": true, "uuid": true,
	"multiprocessing.context": true, "multiprocessing.managers": true, "concurrent.futures._base": true,
}

// Undecided is the error of a comparison that depends on a class which is not
// known.
func Undecided(v Value) *Exception {
	return TypeError("cannot tell whether " + ReprWithin(v, messageLimit) + " equals another value: this server knows its class by " +
		"the name only, which may be that of an Enum or of an IntEnum, a namedtuple or a subclass of str; give its value")
}
