package objects

import (
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// What methods make of the contents of objects takes memory that is not kept.
// It is charged to the loan of the call before it is there.

const (
	// itemCost is what an item takes in a slice of them, with its value in another
	// one.
	itemCost = 48 + 16
	// memberCost is what a key takes on its way through the algebra of sets: ready
	// to be looked up, in a result, and in the maps that find it.
	memberCost = 2*64 + 80
)

// spend charges n bytes to the loan of a call.
func spend(c *store.Call, n int) error { return c.Args.Loan.Take(n) }

// copyCost is what a copy of items takes that the caller of c gets, in the form in
// which join makes it. For Go each stands alone, however often it is in there;
// for Python the same one many times in a row is one.
func copyCost(c *store.Call, items []store.Item) (cost int) {
	if c.Python {
		return treesOf(items)
	}
	for i := range items {
		cost += items[i].Wire()
	}
	return cost + 8*len(items)
}

// treesOf is what items take as a Python list: the trees of those that came as
// CBOR, and what their trees take once more while they are weighed and written.
func treesOf(items []store.Item) (cost int) {
	for i := range items {
		if i == 0 || !items[i].Is(items[i-1]) {
			cost += items[i].Tree()
		}
	}
	return cost + itemCost*len(items)
}

// joined is join, charged.
func joined(c *store.Call, items []store.Item) (store.Item, error) {
	if err := spend(c, copyCost(c, items)); err != nil {
		return none, err
	}
	return join(c, items...), nil
}

// textCost is what the repr of items takes: it is cut at 16 MiB. Their trees are
// made one after the other.
func textCost(items []store.Item) int {
	size, largest := 0, 0
	for i := range items {
		tree := items[i].Tree()
		size += tree
		if _, cbor := items[i].CBOR(); cbor {
			largest = max(largest, tree)
		}
	}
	const text = 3 // a buffer that grows, and the text
	return text*min(4*size, 16<<20) + largest + itemCost*len(items)
}

// reprOf is the repr of a container of items, of which no more than one tree is
// there at a time: open, the items, end.
func reprOf(open string, items []store.Item, end string) string {
	text := []byte(open)
	for i, it := range items {
		if i > 0 {
			text = append(text, ", "...)
		}
		one := pyvalue.ReprWithin(it.Value(), max(maxText-len(text), 0))
		if len(text)+len(one) > maxText {
			return string(text) + one[:max(maxText-len(text), 0)] + "..."
		}
		text = append(text, one...)
	}
	return string(append(text, end...))
}

// maxText is as long as pyvalue.Repr's texts may be.
const maxText = 16 << 20

// only returns those of n items that may refer to objects: most do not, and what
// a sweep takes is charged to nobody.
func only(n int, at func(i int) store.Item) (items []store.Item) {
	for i := range n {
		if it := at(i); it.MayRefer() {
			items = append(items, it)
		}
	}
	return items
}
