package objects

import "multiproc/internal/store"

// element is an item with its number in the order of all that were put.
type element struct {
	item store.Item
	seq  uint64
}

// deque holds elements in the order of their numbers, in a ring. The zero
// deque is empty.
type deque struct {
	ring  []element // of a length that is a power of 2
	start int
	n     int
}

func (d *deque) len() int { return d.n }

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
	e := *d.at(0)
	*d.at(0) = element{}
	d.start = (d.start + 1) & (len(d.ring) - 1)
	d.n--
	if len(d.ring) > 64 && d.n < len(d.ring)/4 {
		d.resize(len(d.ring) / 2)
	}
	return e
}

// insert puts back an element that was taken: near the front, mostly.
func (d *deque) insert(e element) {
	if d.n == len(d.ring) {
		d.resize(max(8, 2*d.n))
	}
	d.start = (d.start - 1) & (len(d.ring) - 1)
	d.n++
	i := 0
	for ; i+1 < d.n && d.at(i+1).seq < e.seq; i++ {
		*d.at(i) = *d.at(i + 1)
	}
	*d.at(i) = e
}

func (d *deque) resize(size int) {
	ring := make([]element, size)
	for i := range d.n {
		ring[i] = *d.at(i)
	}
	d.ring, d.start = ring, 0
}

func (d *deque) each(yield func(element) bool) {
	for i := range d.n {
		if !yield(*d.at(i)) {
			return
		}
	}
}
