package server

import (
	"math"
	"slices"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
)

// What the values of clients may be and what they cost, for both languages.

// valueLimits are those of the values in messages. One byte of a message can be
// a whole list, which takes some hundred bytes in memory; but what a client means
// to store seldom takes more than sixteen times its message.
func (s *Server) valueLimits() interchange.Limits {
	const times = 16
	bytes := min(times*int64(s.limits.Frame), max(1<<30, 2*int64(s.limits.Frame)))
	l := interchange.Limits{Depth: min(s.limits.Depth, defaultDepth), Bytes: int(min(bytes, math.MaxInt))}
	if s.limits.Bytes > 0 {
		l.Bytes = int(min(int64(l.Bytes), s.limits.Bytes))
	}
	return l
}

// sizeOf is the memory that a value takes, which is about what its pickle takes
// at most.
func sizeOf(value pyvalue.Value) int {
	switch v := value.(type) {
	case nil, bool, int64:
		return 0
	case string:
		return len(v)
	}
	return pyvalue.Size(value)
}

// smallAnswer is what an answer takes beside its value.
const smallAnswer = 64

// debugCost is what the description of an object takes: the text, twice, and what
// it is made of.
const debugCost = 1 << 10

// manyObjects is from how many objects on it takes long to look at all of them.
const manyObjects = 1 << 12

// managersModule is where CPython has what proxies are made of.
const managersModule = "multiprocessing.managers"

// knownClasses are the classes that are known well enough not to be opaque.
var knownClasses = []pyvalue.Global{
	{Module: managersModule, Name: "Token"},
	{Module: "datetime", Name: "datetime"},
	{Module: "datetime", Name: "timedelta"},
	{Module: "datetime", Name: "timezone"},
	{Module: "array", Name: "array"},
	{Module: "array", Name: "_array_reconstructor"},
}

// refuseOpaque refuses objects of classes that are not known here, and the names
// of classes, for which a Python program would import their modules.
func refuseOpaque(v pyvalue.Value) (err error) {
	pyvalue.Walk(v, func(v pyvalue.Value) bool {
		name := ""
		switch v := v.(type) {
		case *pyvalue.Object:
			if class, _ := v.Func.(pyvalue.Global); !slices.Contains(knownClasses, class) {
				name = className(v)
			}
		case *pyvalue.Exception: // it becomes a call of its class
			if pyvalue.Cause(v.Class) == nil {
				name = v.Class.String()
			}
		case pyvalue.Global:
			if v.Module != "builtins" && !slices.Contains(knownClasses, v) {
				name = v.String()
			}
		}
		if name != "" {
			err = pyvalue.TypeError("this server refuses objects of classes that it does not know: " + name)
		}
		return err == nil
	})
	return err
}

// className names the class of an object, for messages.
func className(o *pyvalue.Object) string {
	if g, ok := o.Func.(pyvalue.Global); ok && !(g.Module == "copyreg" || g.Module == "copy_reg") {
		return g.String()
	}
	if args, ok := o.Args.(pyvalue.Tuple); ok && len(args) > 0 {
		if g, ok := args[0].(pyvalue.Global); ok {
			return g.String()
		}
	}
	return "of an unnamed class"
}

// refuseOpaqueItem is refuseOpaque for an item that was checked: what a Go client
// says of a Python object becomes one in a Python program.
func refuseOpaqueItem(item []byte) error {
	v, err := interchange.ParseValue(item)
	if err == nil {
		err = refuseOpaque(v)
	}
	return err
}
