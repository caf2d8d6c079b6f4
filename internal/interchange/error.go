package interchange

import (
	"errors"
	"fmt"

	"multiproc/internal/cbor"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// An error is an exception of the nearest class that Python has. Its first
// argument is the text. Registered errors of this program that the class does
// not stand for follow as a tuple of their names, so that errors.Is finds them
// in what another Go program reads.

func (e *encoder) error(err error) error {
	if err == nil {
		e.B = append(e.B, cbor.Null)
		return nil
	}
	return e.Any(exceptionOf(err))
}

func exceptionOf(err error) *pyvalue.Exception {
	var python *pyvalue.Exception
	if errors.As(err, &python) && python.Error() == err.Error() {
		return python
	}
	// fmt forgives a nil pointer whose Error method does not.
	out := &pyvalue.Exception{Class: pyvalue.ToException(err).Class, Args: pyvalue.Tuple{fmt.Sprint(err)}}
	var names pyvalue.Tuple
	known := pyvalue.Cause(out.Class)
	for _, name := range mperr.Names(err) {
		if s := mperr.Sentinels([]string{name}); len(s) != 1 || !errors.Is(known, s[0]) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		out.Args = append(out.Args, names)
	}
	return out
}

// errorOf is the error that an exception stands for.
func errorOf(v pyvalue.Value) (error, bool) {
	x, ok := v.(*pyvalue.Exception)
	if !ok {
		if x, ok = pyvalue.AsException(v); !ok {
			return nil, false
		}
	}
	var causes []error
	if cause := pyvalue.Cause(x.Class); cause != nil {
		causes = append(causes, cause)
	}
	text := x.Error()
	if len(x.Args) == 2 {
		first, isText := x.Args[0].(string)
		if names, ok := namesIn(x.Args[1]); ok && isText {
			text, causes = first, append(causes, mperr.Sentinels(names)...)
		}
	}
	return mperr.Arrived(text, causes), true
}

func namesIn(v pyvalue.Value) (names []string, ok bool) {
	list, ok := v.(pyvalue.Tuple)
	for _, x := range list {
		name, isText := x.(string)
		if !isText {
			return nil, false
		}
		names = append(names, name)
	}
	return names, ok
}
