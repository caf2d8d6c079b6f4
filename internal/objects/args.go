package objects

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"multiproc/internal/data"
	"multiproc/internal/store"
)

// bindArgs puts arguments in the order of the parameters' names, as Python
// does when it calls a function. A name that ends in "?" may be left out: the
// item is none then. The errors are Python's TypeErrors. The result must not be
// changed: it may be args.Pos.
func bindArgs(method string, args store.Args, names ...string) ([]store.Item, error) {
	given := len(args.Pos)
	if given == len(names) && len(args.Named) == 0 {
		return args.Pos, nil
	}
	if given > len(names) {
		return nil, tooMany(method, names, given)
	}
	bound := make([]store.Item, len(names))
	copy(bound, args.Pos)
	used := 0
	for i, name := range names {
		bare, optional := strings.CutSuffix(name, "?")
		it, named := args.Named[bare]
		switch {
		case named && i < given:
			return nil, data.TypeError(fmt.Sprintf("%s() got multiple values for argument '%s'", method, bare))
		case named:
			bound[i] = it
			used++
		case i >= given && !optional:
			return nil, data.TypeError(fmt.Sprintf("%s() missing required argument: '%s'", method, bare))
		}
	}
	if used == len(args.Named) {
		return bound, nil
	}
	return nil, unexpected(method, args, names)
}

func tooMany(method string, names []string, given int) error {
	if len(names) == 0 {
		return data.TypeError(fmt.Sprintf("%s() takes no arguments (%d given)", method, given))
	}
	most := "takes"
	if strings.HasSuffix(names[len(names)-1], "?") {
		most = "takes at most"
	}
	return data.TypeError(fmt.Sprintf("%s() %s %d arguments (%d given)", method, most, len(names), given))
}

// unexpected names the first argument, by the alphabet, that there is no
// parameter for.
func unexpected(method string, args store.Args, names []string) error {
	var extra []string
	for name := range args.Named {
		if !slices.Contains(names, name) && !slices.Contains(names, name+"?") {
			extra = append(extra, name)
		}
	}
	return data.TypeError(fmt.Sprintf("%s() got an unexpected keyword argument '%s'", method, slices.Min(extra)))
}

// wasGiven reports whether the i-th parameter, called name, got an argument,
// for those where None is another thing than nothing.
func wasGiven(args store.Args, i int, name string) bool {
	_, named := args.Named[name]
	return named || i < len(args.Pos)
}

// noArgs binds no arguments.
func noArgs(c *store.Call) bool {
	if len(c.Args.Pos)+len(c.Args.Named) == 0 {
		return true
	}
	_, err := bindArgs(c.Method, c.Args)
	c.Fail(err)
	return false
}

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
			return 0, data.ValueError("Invalid value NaN (not a number)")
		}
		return duration(v), nil
	default:
		return 0, data.TypeError("a timeout is a number of seconds, not '" + data.TypeName(v) + "'")
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

// patience is how long a call waits for something: not at all, until a time,
// or for as long as it takes.
type patience struct {
	try   bool
	until time.Time // zero: forever
}

// within is the patience of a timeout in seconds, which may be none.
func within(it store.Item) (patience, error) {
	if it.IsNone() {
		return patience{}, nil
	}
	d, err := seconds(it)
	if err != nil {
		return patience{}, err
	}
	return after(d), nil
}

// after is the patience of a time from now on.
func after(d time.Duration) patience {
	if d == forever {
		return patience{}
	}
	return patience{until: time.Now().Add(d)}
}

// integer is an argument that must be an int.
func integer(it store.Item) (int64, error) {
	v := it.Value()
	if n, ok := data.Int(v); ok {
		return n, nil
	}
	if _, ok := v.(*big.Int); ok {
		return 0, &data.Exception{
			Class: data.Global{Module: "builtins", Name: "OverflowError"},
			Args:  data.Tuple{"Python int too large to convert to C ssize_t"},
		}
	}
	return 0, data.TypeError("'" + data.TypeName(v) + "' object cannot be interpreted as an integer")
}

// optionalInt is an argument that may be left out or None.
func optionalInt(it store.Item, otherwise int64) (int64, error) {
	if it.IsNone() {
		return otherwise, nil
	}
	return integer(it)
}
