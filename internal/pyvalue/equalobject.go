package pyvalue

func isObject(v Value) bool {
	_, ok := v.(*Object)
	return ok
}

// take is read for any value.
func take(v Value) reading {
	if o, ok := v.(*Object); ok {
		return read(o)
	}
	return reading{is: v}
}

// sameObject compares two values of which one is an object.
func (c *comparer) sameObject(a, b Value, depth int) bool {
	x, y := take(a), take(b)
	o, isA := a.(*Object)
	p, isB := b.(*Object)
	if isA && isB && isOrdered(o) && isOrdered(p) {
		return c.entries(o.Entries, p.Entries, depth)
	}
	if x.lost || y.lost {
		return c.sameLost(a, x, b, y, depth)
	}
	if c.order {
		return c.sameRead(value(x), value(y), depth)
	}
	if c.sameRead(x.is, y.is, depth) {
		return true
	}
	if c.err != nil || isA && isB && o.Func == p.Func || !c.perhaps(x, y, depth) {
		return false // if they are of one class, then their values differ, whatever it is
	}
	if c.doubt == nil {
		if c.doubt = o; !isA || isB && !x.doubt {
			c.doubt = p
		}
	}
	return true
}

// sameRead compares what two objects were taken for.
func (c *comparer) sameRead(a, b Value, depth int) bool {
	x, okX := a.(*Object)
	y, okY := b.(*Object)
	switch {
	case okX && okY:
		return c.objects(x, y, depth)
	case okX || okY:
		return false // what an object is taken for, it is not by itself
	}
	return c.equal(a, b, depth)
}

// perhaps reports whether two values that seem to differ may be equal.
func (c *comparer) perhaps(x, y reading, depth int) bool {
	if !x.doubt && !y.doubt {
		return hollow(x.is) && empty(y.is) || hollow(y.is) && empty(x.is)
	}
	found, p, q := c.found, c.x, c.y
	defer func() { c.found, c.x, c.y = found, p, q }()
	return x.doubt && c.sameRead(x.maybe, y.is, depth) ||
		y.doubt && c.sameRead(x.is, y.maybe, depth) ||
		x.doubt && y.doubt && c.sameRead(x.maybe, y.maybe, depth)
}

// hollow reports whether v is an object that may be an empty list or dict, of a
// subclass.
func hollow(v Value) bool {
	o, ok := v.(*Object)
	if !ok || !o.New || o.HasState || len(o.Items) > 0 || len(o.Entries) > 0 || o.Kwargs != nil {
		return false
	}
	args, ok := o.Args.(Tuple)
	return ok && len(args) == 0
}

func empty(v Value) bool {
	switch v := v.(type) {
	case *List:
		return len(v.Items) == 0
	case *Dict:
		return len(v.Entries) == 0
	}
	return false
}

// sameLost compares an instance of a class that is known, of which nothing is
// known but how it was made.
func (c *comparer) sameLost(a Value, x reading, b Value, y reading, depth int) bool {
	o, isA := a.(*Object)
	p, isB := b.(*Object)
	if isA && isB && c.objects(o, p, depth) {
		return true
	}
	which := o
	if !x.lost {
		which = p
	}
	if comparable := func(v Value) bool {
		_, isNumber := numberOf(v)
		m, isMoment := v.(moment)
		return isObject(v) || isNumber && !isTime(which) || isMoment && isTime(which) && (m.kind == anAware || m.kind == anAwareTime)
	}; c.err == nil && comparable(x.is) && comparable(y.is) {
		c.err = lost(which)
	}
	return false
}

// value is what decides about the order of an object.
func value(r reading) Value {
	if _, ok := r.is.(*Object); ok && r.doubt {
		return r.maybe
	}
	return r.is
}

// ordered is value of what may be no object.
func ordered(v Value) Value { return value(take(v)) }

func (c *comparer) objects(a, b *Object, depth int) bool {
	return a.New == b.New && a.HasState == b.HasState && a.Nanos == b.Nanos &&
		c.equal(a.Func, b.Func, depth+1) && c.equal(a.Args, b.Args, depth+1) &&
		c.equal(a.Kwargs, b.Kwargs, depth+1) && c.equal(a.State, b.State, depth+1) &&
		c.items(a.Items, b.Items, depth) && c.entries(a.Entries, b.Entries, depth)
}

// entries compares what was set in objects, in its order: what their classes
// take for a key is not known.
func (c *comparer) entries(a, b []Entry, depth int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !c.equal(a[i].Key, b[i].Key, depth+1) || !c.equal(a[i].Value, b[i].Value, depth+1) {
			return false
		}
	}
	return true
}
