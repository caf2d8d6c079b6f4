package pyvalue

// index finds what a dict or a set holds.
type index struct {
	of     Value // so that nothing else gets its identity
	values map[string]Value
	coarse map[string]*Object // for keys whose coarse key is another one: of which there is doubt, or nil
}

// indexOf returns the index of a container, which is made once.
func (c *comparer) indexOf(of Value, n int, at func(int) (key, value Value)) *index {
	id, _ := Identity(of)
	if x := c.indexes[id]; x != nil {
		return x
	}
	x := &index{of: of, values: make(map[string]Value, n)}
	for i := range n {
		key, value := at(i)
		k := c.keyed(key)
		if c.err != nil {
			return x
		}
		x.values[k.Key] = value
		if k.Doubt || k.Coarse != "" {
			if x.coarse == nil {
				x.coarse = map[string]*Object{}
			}
			if coarse := k.CoarseKey(); x.coarse[coarse] == nil {
				x.coarse[coarse] = doubtful(key, k.Doubt)
			}
		}
	}
	if c.indexes == nil {
		c.indexes = map[ID]*index{}
	}
	c.indexes[id] = x
	return x
}

// doubtful is an object for the error about a key, nil without doubt.
func doubtful(key Value, doubt bool) *Object {
	if !doubt {
		return nil
	}
	if o, ok := key.(*Object); ok {
		return o
	}
	return &Object{Func: Global{"builtins", TypeName(key)}, Args: Tuple{key}}
}

// keyed is the key of a value that is in a dict or a set already. One that has
// none, as a mutable one has, fails the comparison.
func (c *comparer) keyed(v Value) Keyed {
	k, err := c.keys.Keyed(v, MaxKeyWork)
	if err != nil {
		c.err = err
	} else if s, ok := v.(string); ok {
		c.err = c.Work.Spend(4 + len(s)/64)
	} else {
		c.err = c.Work.Spend(8)
	}
	return k
}

// find looks for a key. If it is not there, and may be nevertheless, maybe is
// true.
func (c *comparer) find(x *index, key Value) (value Value, ok, maybe bool) {
	k := c.keyed(key)
	if c.err != nil {
		return nil, false, false
	}
	if value, ok = x.values[k.Key]; ok {
		return value, true, false
	}
	if !k.Doubt && x.coarse == nil {
		return nil, false, false
	}
	coarse := k.CoarseKey()
	doubt, there := x.coarse[coarse]
	_, plain := x.values[coarse]
	if doubt == nil && (there || plain) {
		doubt = doubtful(key, k.Doubt)
	}
	if doubt != nil && c.doubt == nil {
		c.doubt = doubt
	}
	return nil, false, doubt != nil
}

// dicts compares entries by their keys. Most dicts that are compared have their
// keys in the same order, and then no index is made.
func (c *comparer) dicts(a, b *Dict, depth int) bool {
	if len(a.Entries) != len(b.Entries) {
		return false
	}
	for i, e := range a.Entries {
		value, ok, maybe := b.Entries[i].Value, sameText(e.Key, b.Entries[i].Key), false
		if !ok {
			x := c.indexOf(b, len(b.Entries), func(i int) (key, value Value) { return b.Entries[i].Key, b.Entries[i].Value })
			if c.err == nil {
				value, ok, maybe = c.find(x, e.Key)
			}
			if maybe {
				continue
			}
		}
		if !ok || !c.equal(e.Value, value, depth+1) {
			return false
		}
	}
	return true
}

func sameText(a, b Value) bool {
	x, ok := a.(string)
	y, both := b.(string)
	return ok && both && x == y
}

// sets reports whether two sets have the same members.
func (c *comparer) sets(a Value, x []Value, b Value, y []Value) bool {
	return len(x) == len(y) && c.subset(a, x, b, y)
}

// subset reports whether all members of a are in b.
func (c *comparer) subset(_ Value, x []Value, b Value, y []Value) bool {
	if len(x) > len(y) {
		return false
	}
	in := c.indexOf(b, len(y), func(i int) (key, value Value) { return y[i], nil })
	for _, v := range x {
		if c.err != nil {
			return false
		}
		if _, ok, maybe := c.find(in, v); !ok && !maybe {
			return false
		}
	}
	return c.err == nil
}
