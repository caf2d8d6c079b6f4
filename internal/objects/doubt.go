package objects

import "multiproc/internal/data"

// Some keys from Python are instances of classes of which only the name is
// known: a member of an Enum equals nothing else, one of an IntEnum equals its
// number. Where it depends on that whether two keys are one, the call fails, see
// data.Keyed. Nearly all containers hold no such key, and pay for a nil.

// loose is what is known of a key with a coarse key of its own, or doubt.
type loose struct {
	coarse string
	doubt  bool
}

// tally counts the keys of a container with the same coarse key.
type tally struct{ all, doubtful int }

// coarse is the coarse key.
func (k *hashed) coarse() string {
	if k.loose == nil {
		return k.hash
	}
	return k.loose.coarse
}

func (k *hashed) doubtful() bool { return k.loose != nil && k.loose.doubt }

// note counts a key that comes or goes.
func (e *entries) note(l *loose, by int) {
	if l == nil {
		return
	}
	if e.coarse == nil {
		e.coarse = map[string]tally{}
	}
	t := e.coarse[l.coarse]
	t.all += by
	if l.doubt {
		t.doubtful += by
	}
	if t.all == 0 {
		delete(e.coarse, l.coarse)
		if len(e.coarse) == 0 {
			e.coarse = nil
		}
		return
	}
	e.coarse[l.coarse] = t
}

// sure fails if it cannot be told whether a key is there.
func (e *entries) sure(k hashed) error {
	if k.loose == nil && e.coarse == nil || e.at(k.hash) != nil {
		return nil
	}
	coarse := k.coarse()
	t := e.coarse[coarse]
	_, plain := e.index[coarse]
	if t.doubtful > 0 || k.doubtful() && (plain || t.all > 0) {
		return data.Undecided(k.key.Value())
	}
	return nil
}

// sureOf is sure for many keys, and fails if it cannot be told whether two of
// them are one.
func (e *entries) sureOf(keys []hashed) error {
	if e.coarse == nil && !anyLoose(keys) {
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
	type class struct {
		hash            string
		several, doubts bool
	}
	classes := map[string]class{}
	for _, keys := range lists {
		for _, k := range keys {
			c, ok := classes[k.coarse()]
			if !ok {
				c.hash = k.hash
			}
			c.several = c.several || c.hash != k.hash
			c.doubts = c.doubts || k.doubtful()
			if c.several && c.doubts {
				return data.Undecided(k.key.Value())
			}
			classes[k.coarse()] = c
		}
	}
	return nil
}
