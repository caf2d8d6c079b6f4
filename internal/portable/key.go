package portable

import "multiproc/internal/data"

// Key returns the same string for two items if and only if Python says that
// their values are equal; it is data.Key of the value. Integers, texts and
// bytes are their own keys, which costs one allocation. The item must be one
// that Check accepts. The error is the TypeError of a value that cannot be a
// key, the ValueError of one whose key is beyond all measure, or wraps mperr.ErrCorrupt.
func Key(src []byte) (string, error) {
	if len(src) > 0 && src[0]>>5 <= majorText {
		return string(src), nil
	}
	v, err := ParseValue(src)
	if err != nil {
		return "", err
	}
	return data.KeyWithin(v, keyLimit(src))
}

// keyLimit bounds the key of an item. A key is about as long as its item,
// unless the item refers to its own parts over and over.
func keyLimit(src []byte) int { return 1<<16 + 4*len(src) }
