package objects

import (
	"container/heap"

	"multiproc/internal/store"
)

// element is an item with its number in the order of all that were put.
type element struct {
	item     store.Item
	seq      uint64
	attempts int // how often it was lent
}

// deque holds elements in the order of their numbers: those that were put, in a
// ring, and those that came back, in a heap. Whatever the order in which takers
// die, an element comes back in the time of some comparisons. The zero deque is
// empty.
type deque struct {
	ring  []element // of a length that is a power of 2
	start int
	n     int // in the ring
	back  returned
}

// returned are the elements that came back, as a heap.
type returned []element

func (r returned) Len() int           { return len(r) }
func (r returned) Less(i, j int) bool { return r[i].seq < r[j].seq }
func (r returned) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *returned) Push(x any)        { *r = append(*r, x.(element)) }

func (r *returned) Pop() any {
	last := len(*r) - 1
	e := (*r)[last]
	(*r)[last] = element{}
	*r = (*r)[:last]
	if last == 0 {
		*r = nil
	}
	return e
}

func (d *deque) len() int { return d.n + len(d.back) }

func (d *deque) at(i int) *element { return &d.ring[(d.start+i)&(len(d.ring)-1)] }

// push adds the element with the largest number.
func (d *deque) push(e element) {
	if d.n == len(d.ring) {
		d.resize(max(8, 2*d.n))
	}
	d.n++
	*d.at(d.n - 1) = e
}

// pop takes the element with the smallest number; there is one.
func (d *deque) pop() element {
	if len(d.back) > 0 && (d.n == 0 || d.back[0].seq < d.at(0).seq) {
		return heap.Pop(&d.back).(element)
	}
	e := *d.at(0)
	*d.at(0) = element{}
	d.start = (d.start + 1) & (len(d.ring) - 1)
	d.n--
	if len(d.ring) > 64 && d.n < len(d.ring)/4 {
		d.resize(len(d.ring) / 2)
	}
	return e
}

// insert puts back an element that was taken.
func (d *deque) insert(e element) { heap.Push(&d.back, e) }

func (d *deque) resize(size int) {
	ring := make([]element, size)
	for i := range d.n {
		ring[i] = *d.at(i)
	}
	d.ring, d.start = ring, 0
}

// each yields the elements, in no order.
func (d *deque) each(yield func(element) bool) {
	for _, e := range d.back {
		if !yield(e) {
			return
		}
	}
	for i := range d.n {
		if !yield(*d.at(i)) {
			return
		}
	}
}
