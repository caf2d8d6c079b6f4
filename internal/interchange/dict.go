package interchange

import (
	"bytes"

	"multiproc/internal/cbor"
	"multiproc/internal/pyvalue"
)

// dict reads a map of n pairs.
func (p *parser) dict(i, n int) (any, int) {
	if p.golike {
		return p.golikeMap(i, n)
	}
	d := new(pyvalue.Dict)
	p.made(d)
	d.Entries, i = p.entries(i, n)
	return d, i
}

// entries reads n pairs. Of two equal keys the first stays, with the value of
// the last, as in Python.
func (p *parser) entries(i, n int) ([]pyvalue.Entry, int) {
	if n == 0 {
		return nil, i
	}
	list := make([]pyvalue.Entry, 0, n)
	u := p.unique(n)
	for range n {
		var e pyvalue.Entry
		from := i
		e.Key, i = p.item(i)
		to := i
		e.Value, i = p.item(i)
		if k := u.find(from, to, e.Key); k < len(list) {
			list[k].Value = e.Value
			continue
		}
		list = append(list, e)
	}
	u.end()
	return list, i
}

// members reads the n members of a set.
func (p *parser) members(i, n int) ([]any, int) {
	if n == 0 {
		return nil, i
	}
	list := make([]any, 0, n)
	u := p.unique(n)
	for range n {
		from := i
		var v any
		v, i = p.item(i)
		if u.find(from, i, v) == len(list) {
			list = append(list, v)
		}
	}
	u.end()
	return list, i
}

// unique finds keys that are equal in Python's sense. As long as they are
// integers, texts and bytes and come in the order of their bytes, as our own
// encoder writes maps, no two can be equal. A few such keys, as structs have,
// are compared with each other.
type unique struct {
	p      *parser
	n      int            // keys at most
	base   int            // where the keys begin in p.keys
	count  int            // different keys so far
	sorted bool           // so far
	seen   map[string]int // from keys to their numbers, once it is needed
}

const fewKeys = 16

func (p *parser) unique(n int) unique {
	return unique{p: p, n: n, base: len(p.keys), sorted: true}
}

// end must be called after the last key.
func (u *unique) end() { u.p.keys = u.p.keys[:u.base] }

// find returns the number of the key that equals the new one at src[from:to],
// or the number that the new one has got.
func (u *unique) find(from, to int, key any) int {
	if u.n == 1 {
		return 0
	}
	raw := u.p.src[from:to]
	if u.seen == nil {
		if raw[0]>>5 <= cbor.MajorText {
			if k, ok := u.findFew(raw); ok {
				return k
			}
		}
		u.seen = make(map[string]int, u.n)
		for i, k := range u.p.keys[u.base:] {
			u.seen[string(k)] = i
		}
	}
	id := string(raw)
	if raw[0]>>5 > cbor.MajorText {
		var alone bool
		var err error
		limit := u.p.keyRoom(raw)
		if id, alone, err = u.p.keyer.Local(key, limit); err == nil {
			limit = len(id)
		}
		if u.p.spent += limit; alone || err != nil {
			u.count++
			return u.count - 1 // equal to nothing, or nothing that we can know of
		}
	}
	k, ok := u.seen[id]
	if !ok {
		k = u.count
		u.count++
		u.seen[id] = k
	}
	return k
}

// keyRoom bounds the key of the item raw. Many keys may refer to one large part,
// which is gone over for each; all of them together may cost as much as so many
// times the whole.
func (p *parser) keyRoom(raw []byte) int {
	const times = 64
	return min(keyWork(raw), times*len(p.src)+1<<16-p.spent)
}

// findFew is find without a map, as long as none is needed.
func (u *unique) findFew(raw []byte) (k int, ok bool) {
	keys := u.p.keys[u.base:]
	if u.sorted = u.sorted && (len(keys) == 0 || bytes.Compare(keys[len(keys)-1], raw) < 0); !u.sorted {
		if len(keys) >= fewKeys {
			return 0, false
		}
		for k := range keys {
			if bytes.Equal(keys[k], raw) {
				return k, true
			}
		}
	}
	if u.p.keys == nil {
		u.p.keys = make([][]byte, 0, fewKeys)
	}
	u.p.keys = append(u.p.keys, raw)
	u.count++
	return u.count - 1, true
}

// golikeMap reads a map of n pairs as map[string]any if all keys are text, as
// map[any]any if all are keys in Go, else as a *pyvalue.Dict.
func (p *parser) golikeMap(i, n int) (any, int) {
	if p.open > 0 {
		return p.sharedMap(i, n)
	}
	if p.stack == nil {
		p.stack = make([]any, 0, 2*fewKeys)
	}
	base := len(p.stack)
	keys := textKeys | plainKeys
	for range n {
		var k, v any
		k, i = p.item(i)
		v, i = p.item(i)
		p.stack = append(p.stack, k, v)
		keys &= sortOf(k)
	}
	m := mapOf(p.stack[base:], keys)
	clear(p.stack[base:])
	p.stack = p.stack[:base]
	return m, i
}

// mapOf makes a map of keys and values.
func mapOf(pairs []any, keys facts) any {
	n := len(pairs) / 2
	switch {
	case keys&textKeys != 0:
		m := make(map[string]any, n)
		for k := 0; k < len(pairs); k += 2 {
			m[pairs[k].(string)] = pairs[k+1]
		}
		return m
	case keys&plainKeys != 0:
		m := make(map[any]any, n)
		for k := 0; k < len(pairs); k += 2 {
			m[pairs[k]] = pairs[k+1]
		}
		return m
	}
	d := &pyvalue.Dict{Entries: make([]pyvalue.Entry, 0, n)}
	for k := 0; k < len(pairs); k += 2 {
		d.Entries = append(d.Entries, pyvalue.Entry{Key: pairs[k], Value: pairs[k+1]})
	}
	return d
}

// sortOf says which maps of Go can have the key.
func sortOf(key any) facts {
	switch key.(type) {
	case string:
		return textKeys | plainKeys
	case nil, bool, int, int64, float64, complex128:
		return plainKeys
	}
	return 0
}

// sharedMap makes the map before its parts, which may refer to it.
func (p *parser) sharedMap(i, n int) (any, int) {
	var set func(k, v any)
	var m any
	switch f := p.marks[p.open-1].facts; {
	case f&textKeys != 0:
		t := make(map[string]any, n)
		m, set = t, func(k, v any) { t[k.(string)] = v }
	case f&plainKeys != 0:
		t := make(map[any]any, n)
		m, set = t, func(k, v any) { t[k] = v }
	default:
		t := &pyvalue.Dict{Entries: make([]pyvalue.Entry, 0, n)}
		m, set = t, func(k, v any) { t.Entries = append(t.Entries, pyvalue.Entry{Key: k, Value: v}) }
	}
	p.made(m)
	for range n {
		var k, v any
		k, i = p.item(i)
		v, i = p.item(i)
		set(k, v)
	}
	return m, i
}
