package pyvalue

// Deeper reports whether containers are nested in v more than limit deep. It is
// not recursive. A container within itself does not count again. tree says that
// nothing in v is shared, which saves remembering what was seen; the cost is
// then linear in what would be written out, otherwise in the memory of v.
func Deeper(v Value, limit int, tree bool) bool {
	m := measure{limit: limit}
	if !tree {
		m.heights = map[ID]int{}
	}
	m.enter(v)
	for len(m.open) > 0 && !m.deeper {
		top := &m.open[len(m.open)-1]
		if len(top.parts) > 0 {
			part := top.parts[0]
			top.parts = top.parts[1:]
			m.enter(part)
			continue
		}
		m.leave()
	}
	return m.deeper
}

// measure finds the height of a graph: the way up from a container to its
// deepest part, once for each container.
type measure struct {
	limit   int
	heights map[ID]int // of the containers that were left; 0 for those that are open
	open    []level
	deeper  bool
}

// level is a container that is being looked at.
type level struct {
	id     ID
	parts  []Value // what is still to be looked at
	height int     // of the parts so far
}

func (m *measure) enter(v Value) {
	parts := partsOf(v)
	if len(parts) == 0 {
		if _, leaf := v.(Ref); !leaf && isEmptyContainer(v) {
			m.raise(1)
		}
		return
	}
	id, ok := Identity(v)
	if m.heights != nil && ok {
		if h, seen := m.heights[id]; seen {
			m.raise(h)
			return
		}
		m.heights[id] = 0
	}
	m.open = append(m.open, level{id: id, parts: parts})
	m.deeper = m.deeper || len(m.open) > m.limit
}

// leave closes the innermost container.
func (m *measure) leave() {
	top := m.open[len(m.open)-1]
	m.open = m.open[:len(m.open)-1]
	if m.heights != nil {
		m.heights[top.id] = top.height + 1
	}
	m.raise(top.height + 1)
}

// raise tells the innermost open container of a part of height h.
func (m *measure) raise(h int) {
	if len(m.open) > 0 {
		top := &m.open[len(m.open)-1]
		top.height = max(top.height, h)
	}
	m.deeper = m.deeper || len(m.open)+h > m.limit
}

// partsOf returns what a value consists of, without a copy where there is one
// slice of it already.
func partsOf(v Value) []Value {
	switch v := v.(type) {
	case Tuple:
		return v
	case *List:
		return v.Items
	case *Set:
		return v.Items
	case *FrozenSet:
		return v.Items
	case nil, bool, int64, float64, string, []byte, Global, Ref:
		return nil
	}
	return appendParts(nil, v)
}

func isEmptyContainer(v Value) bool {
	switch v.(type) {
	case Tuple, *List, *Dict, *Set, *FrozenSet:
		return true
	}
	return false
}
