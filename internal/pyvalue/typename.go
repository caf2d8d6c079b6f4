package pyvalue

import (
	"fmt"
	"math/big"
)

// TypeName returns type(v).__name__ as Python has it. That of an Object is the
// name of its class, as far as its pickle tells.
func TypeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case complex128:
		return "complex"
	case string:
		return "str"
	case []byte:
		return "bytes"
	case *ByteArray:
		return "bytearray"
	case Tuple:
		return "tuple"
	case *List:
		return "list"
	case *Dict:
		return "dict"
	case *Set:
		return "set"
	case *FrozenSet:
		return "frozenset"
	case Slice:
		return "slice"
	case Range:
		return "range"
	case Global:
		switch {
		case !isSingleton(v):
			return "type"
		case v.Name == "Ellipsis":
			return "ellipsis"
		}
		return v.Name + "Type"
	case Ref:
		return proxyName(v)
	case *Exception:
		return v.Class.Name
	case *Object:
		return classOf(v).Name
	}
	return fmt.Sprintf("%T", v)
}

// proxyName is the name of the class of Python's proxy for a reference.
func proxyName(r Ref) string {
	if r.Proxy.Name != "" && r.Proxy.Name != "AutoProxy" {
		return r.Proxy.Name
	}
	return "AutoProxy[" + r.Type + "]"
}

// classOf returns the class of an object: what was called, or the first
// argument of those functions that make any object.
func classOf(o *Object) Global {
	f, ok := o.Func.(Global)
	if !ok {
		return Global{"builtins", "object"}
	}
	if f.Module == "copyreg" {
		if args, ok := o.Args.(Tuple); ok && len(args) > 0 {
			if class, ok := args[0].(Global); ok {
				return class
			}
		}
	}
	return f
}
