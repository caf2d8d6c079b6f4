package pyvalue

// Some keys are instances of classes of which only the name is known: a member of
// an Enum equals nothing else, one of an IntEnum equals its number. Where it
// depends on that whether two keys of a dict or a set are one, the call fails, see
// Keyed and Undecided. Nearly all dicts and sets hold no such key, and pay for a nil.

// Loose is what is known of a key with a coarse key of its own, or doubt.
type Loose struct {
	Coarse string
	Doubt  bool
}

// Loose returns what a dict or a set has to remember of the key; nil of nearly all.
func (k *Keyed) Loose() *Loose {
	if k.Coarse == "" && !k.Doubt {
		return nil
	}
	return &Loose{k.CoarseKey(), k.Doubt}
}

// coarseOf is the coarse key of a key.
func (l *Loose) coarseOf(key string) string {
	if l == nil {
		return key
	}
	return l.Coarse
}

// Doubts counts the loose keys of one dict or set by their coarse keys. It is nil
// if there are none.
type Doubts map[string]tally

type tally struct{ all, doubtful int }

// Note counts a key that comes, by 1, or goes, by -1.
func (d *Doubts) Note(l *Loose, by int) {
	if l == nil {
		return
	}
	if *d == nil {
		*d = Doubts{}
	}
	t := (*d)[l.Coarse]
	t.all += by
	if l.Doubt {
		t.doubtful += by
	}
	if t.all > 0 {
		(*d)[l.Coarse] = t
		return
	}
	delete(*d, l.Coarse)
	if len(*d) == 0 {
		*d = nil
	}
}

// Sure reports whether it can be told whether a key is there, that has not been
// found: has says which others are.
func (d Doubts) Sure(key string, l *Loose, has func(key string) bool) bool {
	if l == nil && d == nil {
		return true
	}
	coarse := l.coarseOf(key)
	t := d[coarse]
	return t.doubtful == 0 && (l == nil || !l.Doubt || t.all == 0 && !has(coarse))
}

// Classes finds out whether it can be told which of many keys are one. The zero
// Classes has none yet.
type Classes struct{ of map[string]class }

type class struct {
	key             string
	several, doubts bool
}

// Add reports whether it can be told which of the keys up to this one equal it.
func (c *Classes) Add(key string, l *Loose) bool {
	coarse := l.coarseOf(key)
	x, ok := c.of[coarse]
	if !ok {
		x.key = key
	}
	x.several = x.several || x.key != key
	x.doubts = x.doubts || l != nil && l.Doubt
	if c.of == nil {
		c.of = map[string]class{}
	}
	c.of[coarse] = x
	return !x.several || !x.doubts
}

// Member returns what is looked for when v is looked for in a set, or removed from
// it: a set stands for the frozenset that equals it.
func Member(v Value) Value {
	if s, ok := v.(*Set); ok {
		return &FrozenSet{Items: s.Items}
	}
	return v
}
