package driver

import (
	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
)

// Key returns a string that is the same for keys that Python calls equal: 1, 1.0
// and true have one. A place may keep entries by it. What cannot be a key, such
// as a list, is an error that wraps mp.ErrType, as is a member of a class of
// which it is not known what equals it.
func Key(item []byte) (string, error) {
	k, err := interchange.Keyed(item)
	if err != nil {
		return "", err
	}
	if k.Doubt {
		v, err := interchange.ParseValue(item)
		if err == nil {
			err = pyvalue.Undecided(v)
		}
		return "", err
	}
	return k.Key, nil
}

// Equal is Python's a == b. The error wraps mp.ErrType where that is not known.
func Equal(a, b []byte) (bool, error) {
	x, err := interchange.ParseValue(a)
	if err != nil {
		return false, err
	}
	y, err := interchange.ParseValue(b)
	if err != nil {
		return false, err
	}
	return pyvalue.Same(x, y, nil)
}

// Sum is Python's a + b, for the Add methods: of nil, which is no value, and b it
// is b. The error wraps mp.ErrType if there is no such sum, and mp.ErrValue if it
// is beyond a float.
func Sum(a, b []byte) ([]byte, error) {
	y, err := interchange.ParseValue(b)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return b, pyvalue.Summand(y)
	}
	x, err := interchange.ParseValue(a)
	if err != nil {
		return nil, err
	}
	z, err := pyvalue.Sum(x, y)
	if err != nil {
		return nil, err
	}
	return interchange.AppendValue(nil, z)
}
