package pyvalue

import "math/big"

// Truth is Python's bool(v). An object of a class that is known by its name only
// is true, as it is in Python unless its class says otherwise.
func Truth(v Value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case *big.Int:
		return v.Sign() != 0
	case float64:
		return v != 0
	case complex128:
		return v != 0
	case fraction:
		return v.num.Sign() != 0
	case moment:
		return v.kind != aTimedelta || v.at != 0 || v.more != 0
	case string:
		return v != ""
	case []byte:
		return len(v) > 0
	case Tuple:
		return len(v) > 0
	case *List:
		return len(v.Items) > 0
	case *Dict:
		return len(v.Entries) > 0
	case *Set:
		return len(v.Items) > 0
	case *FrozenSet:
		return len(v.Items) > 0
	case *ByteArray:
		return len(v.B) > 0
	case Range:
		start, stop, step, ok := v.bounds()
		return !ok || rangeLen(start, stop, step).Sign() > 0
	case *Object:
		if is := read(v).is; is != Value(v) {
			return Truth(is)
		}
	}
	return true
}
