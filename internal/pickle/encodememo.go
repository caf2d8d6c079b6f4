package pickle

import (
	"math"

	"multiproc/internal/pyvalue"
)

// memo remembers under which numbers values were written. Most pickles hold a
// handful of containers, for which a row is faster than a map.
type memo struct {
	n     int // numbers given
	few   [12]numbered
	used  int
	many  map[pyvalue.ID]int
	names map[pyvalue.Global]int
	name  pyvalue.Global // the first global; many pickles have one
	first int            // its number, plus 1
}

type numbered struct {
	id pyvalue.ID
	n  int
}

func (m *memo) find(id pyvalue.ID) (int, bool) {
	if m.many != nil {
		n, ok := m.many[id]
		return n, ok
	}
	for i := range m.few[:m.used] {
		if m.few[i].id == id {
			return m.few[i].n, true
		}
	}
	return 0, false
}

func (m *memo) has(id pyvalue.ID) bool {
	_, ok := m.find(id)
	return ok
}

// add gives a value the next number.
func (m *memo) add(id pyvalue.ID) {
	n := m.n
	m.n++
	switch {
	case m.many != nil:
		m.many[id] = n
	case m.used < len(m.few):
		m.few[m.used] = numbered{id, n}
		m.used++
	default:
		m.many = make(map[pyvalue.ID]int, 4*len(m.few))
		for _, it := range m.few {
			m.many[it.id] = it.n
		}
		m.many[id] = n
	}
}

func (m *memo) global(g pyvalue.Global) (int, bool) {
	if m.first > 0 && m.name == g {
		return m.first - 1, true
	}
	n, ok := m.names[g]
	return n, ok
}

func (m *memo) addGlobal(g pyvalue.Global) {
	n := m.n
	m.n++
	if m.first == 0 {
		m.name, m.first = g, n+1
		return
	}
	if m.names == nil {
		m.names = map[pyvalue.Global]int{}
	}
	m.names[g] = n
}

// memoize makes the loader remember the value on top of its stack.
func (e *encoder) memoize(id pyvalue.ID) {
	e.memo.add(id)
	e.put(e.memo.n - 1)
}

func (e *encoder) put(n int) {
	switch {
	case e.protocol >= 4:
		e.op(opMemoize)
	case n <= math.MaxUint8:
		e.sized(opBinPut, 1, n)
	default:
		e.sized(opLongBinPut, 4, n)
	}
}

// recall writes the number of a value that was written before, and reports
// whether there is one.
func (e *encoder) recall(id pyvalue.ID) bool {
	n, ok := e.memo.find(id)
	if ok {
		e.get(n)
	}
	return ok
}

func (e *encoder) get(n int) {
	if n <= math.MaxUint8 {
		e.sized(opBinGet, 1, n)
		return
	}
	e.sized(opLongBinGet, 4, n)
}
