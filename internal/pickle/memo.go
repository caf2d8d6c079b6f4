package pickle

import "multiproc/internal/pyvalue"

// vacant stands in the memo where no value was put.
type vacant struct{}

// gap is how many free places a PUT may leave before its own: Python 2 begins
// with 1. Numbers beyond go into a map, for a list of them might be of any length.
const gap = 1

// memory carries out the opcodes that put values into the memo and get them.
func (d *decoder) memoOp(op byte) error {
	switch op {
	case opMemoize:
		v, err := d.top()
		if err != nil {
			return err
		}
		d.memo = append(d.memo, v)
		return d.occupy(placeBytes)
	case opBinPut, opBinGet:
		n, err := d.size(1)
		if err != nil {
			return err
		}
		return d.putOrGet(op == opBinPut, n)
	}
	n, err := d.size(4)
	if err != nil {
		return err
	}
	return d.putOrGet(op == opLongBinPut, n)
}

func (d *decoder) putOrGet(put bool, n int) error {
	if !put {
		v, ok := d.recall(n)
		if !ok {
			return corrupt("nothing was put under number %d", n)
		}
		if isContainer(v) {
			d.shared = true
		}
		return d.push(v)
	}
	v, err := d.top()
	if err != nil {
		return err
	}
	d.remember(n, v)
	return d.occupy(placeBytes)
}

func (d *decoder) remember(n int, v pyvalue.Value) {
	if n > len(d.memo)+gap {
		if d.far == nil {
			d.far = map[int]pyvalue.Value{}
		}
		d.far[n] = v
		return
	}
	for n > len(d.memo) {
		d.memo = append(d.memo, vacant{})
	}
	if n == len(d.memo) {
		d.memo = append(d.memo, v)
		return
	}
	d.memo[n] = v
}

func (d *decoder) recall(n int) (pyvalue.Value, bool) {
	if n < len(d.memo) {
		if v := d.memo[n]; v != (vacant{}) {
			return v, true
		}
	}
	v, ok := d.far[n]
	return v, ok
}

// isContainer reports whether v may hold values.
func isContainer(v pyvalue.Value) bool {
	switch v.(type) {
	case pyvalue.Tuple, *pyvalue.List, *pyvalue.Dict, *pyvalue.Set, *pyvalue.FrozenSet, *pyvalue.Object, pyvalue.Slice, pyvalue.Range:
		return true
	}
	return false
}
