package objects

import (
	"math"
	"math/big"
	"time"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// forever is the longest time that is waited for: beyond it a timeout is none.
const forever = time.Duration(math.MaxInt64)

// seconds is a timeout. Negative ones and huge ones are as they are, and as
// near to it as can be.
func seconds(it store.Item) (time.Duration, error) {
	switch v := it.Value().(type) {
	case bool:
		if v {
			return time.Second, nil
		}
		return 0, nil
	case int64:
		return duration(float64(v)), nil
	case *big.Int:
		return duration(float64(v.Sign()) * math.MaxFloat64), nil
	case float64:
		if math.IsNaN(v) {
			return 0, pyvalue.ValueError("Invalid value NaN (not a number)")
		}
		return duration(v), nil
	default:
		return 0, pyvalue.TypeError("a timeout is a number of seconds, not '" + pyvalue.TypeName(v) + "'")
	}
}

func duration(seconds float64) time.Duration {
	const limit = float64(1<<62) / float64(time.Second)
	switch {
	case seconds > limit:
		return forever
	case seconds < -limit:
		return -forever
	}
	return time.Duration(math.Ceil(seconds * float64(time.Second)))
}

// timeLimit is how long a call waits for something: not at all, until a time,
// or for as long as it takes.
type timeLimit struct {
	try   bool
	until time.Time // zero: forever
}

// within is the timeLimit that a timeout in seconds makes, which may be none.
func within(it store.Item) (timeLimit, error) {
	if it.IsNone() {
		return timeLimit{}, nil
	}
	d, err := seconds(it)
	if err != nil {
		return timeLimit{}, err
	}
	return after(d), nil
}

// after is the timeLimit of so long from now on.
func after(d time.Duration) timeLimit {
	if d == forever {
		return timeLimit{}
	}
	return timeLimit{until: time.Now().Add(d)}
}

// integer is an argument that must be an int.
func integer(it store.Item) (int64, error) {
	v := it.Value()
	if n, ok := pyvalue.Int(v); ok {
		return n, nil
	}
	if _, ok := v.(*big.Int); ok {
		return 0, &pyvalue.Exception{
			Class: pyvalue.Global{Module: "builtins", Name: "OverflowError"},
			Args:  pyvalue.Tuple{"Python int too large to convert to C ssize_t"},
		}
	}
	return 0, pyvalue.TypeError("'" + pyvalue.TypeName(v) + "' object cannot be interpreted as an integer")
}

// optionalInt is an argument that may be left out or None.
func optionalInt(it store.Item, otherwise int64) (int64, error) {
	if it.IsNone() {
		return otherwise, nil
	}
	return integer(it)
}
