package objects

import "multiproc/internal/data"

// What data.Doubts and data.Classes say of the keys of a container.

// sure fails if it cannot be told whether a key is there.
func (e *entries) sure(k hashed) error {
	if k.loose == nil && e.doubts == nil || e.at(k.hash) != nil {
		return nil
	}
	if e.doubts.Sure(k.hash, k.loose, func(hash string) bool { return e.at(hash) != nil }) {
		return nil
	}
	return data.Undecided(k.key.Value())
}

// sureOf is sure for many keys, and fails if it cannot be told whether two of
// them are one.
func (e *entries) sureOf(keys []hashed) error {
	if e.doubts == nil && !anyLoose(keys) {
		return nil
	}
	for _, k := range keys {
		if err := e.sure(k); err != nil {
			return err
		}
	}
	return undecided(keys)
}

func anyLoose(keys []hashed) bool {
	for i := range keys {
		if keys[i].loose != nil {
			return true
		}
	}
	return false
}

// undecided fails if it cannot be told whether two of all keys are one.
func undecided(lists ...[]hashed) error {
	some := false
	for _, keys := range lists {
		some = some || anyLoose(keys)
	}
	if !some {
		return nil
	}
	var classes data.Classes
	for _, keys := range lists {
		for _, k := range keys {
			if !classes.Add(k.hash, k.loose) {
				return data.Undecided(k.key.Value())
			}
		}
	}
	return nil
}
