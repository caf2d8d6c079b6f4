package store

import (
	"fmt"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// maxShared is how many values may be counted more than once where a value is
// taken apart.
const maxShared = 1 << 22

// OfAll returns the items of the parts of a value. A part that stands in many
// others belongs to each of them: a message of some megabytes may hold a million
// lists that contain the same million numbers. Where that gets out of hand the
// error wraps mperr.ErrLimit. The same part many times in a row costs nothing.
func OfAll(values []pyvalue.Value) ([]Item, error) { return ofAll(values, maxShared) }

func ofAll(values []pyvalue.Value, shared int) ([]Item, error) {
	items := make([]Item, len(values))
	room, counted := shared, false
	var last pyvalue.ID
	for i, v := range values {
		id, ok := pyvalue.Identity(v)
		if ok && i > 0 && id == last {
			items[i] = items[i-1]
			continue
		}
		last = id
		it, n := weigh(v)
		if room -= n; room < 0 && !counted {
			_, all := weigh(pyvalue.Tuple(values))
			room, counted = room+all, true
		}
		if room < 0 {
			return nil, fmt.Errorf("%w: the elements contain the same values too often", mperr.ErrLimit)
		}
		items[i] = it
	}
	return items, nil
}
