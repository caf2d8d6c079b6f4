package interchange

import (
	"multiproc/internal/cbor"
	"multiproc/internal/pyvalue"
)

// Key returns the same string for two items if and only if Python says that
// their values are equal; it is pyvalue.Key of the value. Integers, texts and
// bytes are their own keys, which costs one allocation. The item must be one
// that Check accepts. The error is the TypeError of a value that cannot be a
// key, the ValueError of one whose key is beyond all measure, or wraps mperr.ErrCorrupt.
func Key(src []byte) (string, error) {
	if len(src) > 0 && src[0]>>5 <= cbor.MajorText {
		return string(src), nil
	}
	v, err := ParseValue(src)
	if err != nil {
		return "", err
	}
	return pyvalue.KeyWithin(v, keyWork(src))
}

// Keyed is Key with what is known of a key of which there may be doubt, see
// pyvalue.Keyed.
func Keyed(src []byte) (pyvalue.Keyed, error) {
	if len(src) > 0 && src[0]>>5 <= cbor.MajorText {
		return pyvalue.Keyed{Key: string(src)}, nil
	}
	v, err := ParseValue(src)
	if err != nil {
		return pyvalue.Keyed{}, err
	}
	return pyvalue.KeyOf(v, keyWork(src))
}

// keyWork bounds what the key of an item is made from. That is about as long as
// the item; of each part there is a digest in addition.
func keyWork(src []byte) int { return 1<<16 + 64*len(src) }

// OneForm reports whether two such items are equal if and only if their bytes
// are: they are integers, bytes or texts.
func OneForm(item []byte) bool { return len(item) > 0 && item[0] < 0x80 }
