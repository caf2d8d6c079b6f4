package pickle

import (
	"fmt"

	"multiproc/internal/pyvalue"
)

func (d *decoder) tuple(op byte) error {
	var vs []pyvalue.Value
	var err error
	switch op {
	case opTuple:
		vs, err = d.toMark()
	case opTuple1, opTuple2, opTuple3:
		vs, err = d.take(int(op - opTuple1 + 1))
	}
	if err != nil {
		return err
	}
	if err := d.contain(); err != nil {
		return err
	}
	return d.push(append(make(pyvalue.Tuple, 0, len(vs)), vs...))
}

// container makes a new container: an empty one, or of the values above a mark.
func (d *decoder) container(op byte) error {
	if err := d.contain(); err != nil {
		return err
	}
	switch op {
	case opEmptyList:
		return d.push(&pyvalue.List{})
	case opEmptyDict:
		return d.push(&pyvalue.Dict{})
	case opEmptySet:
		return d.push(&pyvalue.Set{})
	}
	vs, err := d.toMark()
	if err != nil {
		return err
	}
	switch op {
	case opList:
		return d.push(&pyvalue.List{Items: append([]pyvalue.Value(nil), vs...)})
	case opDict:
		dict := &pyvalue.Dict{}
		if err := d.setItems(dict, vs); err != nil {
			return err
		}
		return d.push(dict)
	}
	set := &pyvalue.FrozenSet{}
	if err := d.addItems(set, &set.Items, vs); err != nil {
		return err
	}
	return d.push(set)
}

// fill puts values into the container below them.
func (d *decoder) fill(op byte) error {
	var vs []pyvalue.Value
	var err error
	switch op {
	case opAppend:
		vs, err = d.take(1)
	case opSetItem:
		vs, err = d.take(2)
	default:
		vs, err = d.toMark()
	}
	if err != nil {
		return err
	}
	into, err := d.top()
	if err != nil {
		return err
	}
	switch op {
	case opAppend, opAppends:
		return d.appendTo(into, vs)
	case opAddItems:
		if set, ok := into.(*pyvalue.Set); ok {
			return d.addItems(set, &set.Items, vs)
		}
		return corrupt("items are added to a %s, which is no set", pyvalue.TypeName(into))
	}
	return d.setIn(into, vs)
}

func (d *decoder) appendTo(into pyvalue.Value, vs []pyvalue.Value) error {
	switch into := into.(type) {
	case *pyvalue.List:
		into.Items = append(into.Items, vs...)
	case *pyvalue.Object:
		into.Items = append(into.Items, vs...)
	default:
		return corrupt("items are appended to a %s, which is no list", pyvalue.TypeName(into))
	}
	return nil
}

func (d *decoder) setIn(into pyvalue.Value, vs []pyvalue.Value) error {
	switch into := into.(type) {
	case *pyvalue.Dict:
		return d.setItems(into, vs)
	case *pyvalue.Object:
		if len(vs)%2 != 0 {
			return errOdd
		}
		for i := 0; i < len(vs); i += 2 {
			into.Entries = append(into.Entries, pyvalue.Entry{Key: vs[i], Value: vs[i+1]})
		}
		return nil
	}
	return corrupt("items are set in a %s, which is no dict", pyvalue.TypeName(into))
}

var errOdd = corrupt("a key without a value")

// setItems sets keys and values that take turns.
func (d *decoder) setItems(dict *pyvalue.Dict, vs []pyvalue.Value) error {
	if len(vs)%2 != 0 {
		return errOdd
	}
	if dict.Entries == nil && len(vs) > 0 {
		dict.Entries = make([]pyvalue.Entry, 0, len(vs)/2)
	}
	for i := 0; i < len(vs); i += 2 {
		at, err := d.find(dict, vs[i], len(dict.Entries), func(i int) pyvalue.Value { return dict.Entries[i].Key })
		if err != nil {
			return err
		}
		if at == len(dict.Entries) {
			dict.Entries = append(dict.Entries, pyvalue.Entry{Key: vs[i]})
		}
		dict.Entries[at].Value = vs[i+1] // of keys that are equal the first one stays, as in Python
	}
	return nil
}

// addItems adds to a set, whose items are *items.
func (d *decoder) addItems(set pyvalue.Value, items *[]pyvalue.Value, vs []pyvalue.Value) error {
	for _, v := range vs {
		at, err := d.find(set, v, len(*items), func(i int) pyvalue.Value { return (*items)[i] })
		if err != nil {
			return err
		}
		if at == len(*items) {
			*items = append(*items, v)
		}
	}
	return nil
}

// table finds keys in a dict or a set that has more than a few of them. Texts
// are by far the most frequent keys and need no encoding. Objects are told apart
// by what they are and not by what they look like, as pyvalue.LocalKey does: their
// classes may do so, and a set never has two that are equal.
type table struct {
	texts   map[string]int
	objects map[*pyvalue.Object]int
	others  map[string]int // by pyvalue.Key
}

// key is a key in the form in which it is compared.
type key struct {
	text   string
	object *pyvalue.Object
	coded  string
	kind   byte // 't', 'o' or 'k': which of the three counts; 'n': it equals nothing
}

// keyOf fails if v cannot be hashed, and when all keys together are too large.
func (d *decoder) keyOf(v pyvalue.Value) (key, error) {
	switch v := v.(type) {
	case string:
		return key{text: v, kind: 't'}, d.spend(len(v))
	case *pyvalue.Object:
		return key{object: v, kind: 'o'}, nil
	}
	coded, alone, err := d.keyer.Local(v, d.room)
	switch {
	case err != nil:
		return key{}, fmt.Errorf("a %s as a key: %w", pyvalue.TypeName(v), err)
	case alone:
		return key{kind: 'n'}, d.spend(len(coded))
	}
	return key{coded: coded, kind: 'k'}, d.spend(len(coded))
}

// fewKeys is up to how many keys are compared one by one.
const fewKeys = 8

// find returns where a key stands among the n keys of a container, n if it is
// new, and then assumes that it is going to stand there.
func (d *decoder) find(of, v pyvalue.Value, n int, at func(int) pyvalue.Value) (int, error) {
	k, err := d.keyOf(v)
	if err != nil {
		return 0, err
	}
	if n < fewKeys {
		for i := range n {
			if same, err := d.sameKey(at(i), v, k); same || err != nil {
				return i, err
			}
		}
		return n, nil
	}
	t, err := d.tableOf(of, n, at)
	if err != nil {
		return 0, err
	}
	if i, ok := t.get(k); ok {
		return i, nil
	}
	t.set(k, n)
	return n, d.charge(tableBytes + len(k.coded))
}

// sameKey compares a key with one that is there already.
func (d *decoder) sameKey(old, v pyvalue.Value, k key) (bool, error) {
	switch old := old.(type) {
	case string:
		return k.kind == 't' && k.text == old, nil
	case *pyvalue.Object:
		return k.object == old, nil
	case int64:
		if v, ok := v.(int64); ok {
			return old == v, nil
		}
	}
	if k.kind != 'k' {
		return false, nil
	}
	o, err := d.keyOf(old)
	return o == k, err
}

// tableOf returns the table of a container; of is its pointer.
func (d *decoder) tableOf(of pyvalue.Value, n int, at func(int) pyvalue.Value) (*table, error) {
	if t := d.tables[of]; t != nil {
		return t, nil
	}
	t := &table{}
	for i := range n {
		k, err := d.keyOf(at(i))
		if err != nil {
			return nil, err
		}
		t.set(k, i)
		if err := d.charge(tableBytes + len(k.coded)); err != nil {
			return nil, err
		}
	}
	if d.tables == nil {
		d.tables = map[pyvalue.Value]*table{}
	}
	d.tables[of] = t
	return t, nil
}

// tableBytes is what a table takes for a key, when it has just grown.
const tableBytes = 80

func (t *table) get(k key) (i int, ok bool) {
	switch k.kind {
	case 't':
		i, ok = t.texts[k.text]
	case 'o':
		i, ok = t.objects[k.object]
	case 'k':
		i, ok = t.others[k.coded]
	}
	return i, ok
}

func (t *table) set(k key, i int) {
	switch k.kind {
	case 't':
		t.texts = put(t.texts, k.text, i)
	case 'o':
		t.objects = put(t.objects, k.object, i)
	case 'k':
		t.others = put(t.others, k.coded, i)
	}
}

func put[K comparable](m map[K]int, k K, i int) map[K]int {
	if m == nil {
		m = map[K]int{}
	}
	m[k] = i
	return m
}
