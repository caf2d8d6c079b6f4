package pool

// results are pieces that can be given out, in ready, and those that come before
// their turn, if there is an order: a binary heap, which is small, for workers take
// items in their order. That of container/heap would allocate for each.
type results struct {
	ready   []piece // from head on
	head    int
	early   []piece
	next    int // index of the first item that is not in ready, if ordered
	ordered bool
}

func (r *results) push(p piece) {
	if r.ordered && p.First != r.next {
		r.raise(p)
		return
	}
	r.put(p)
	for len(r.early) > 0 && r.early[0].First == r.next {
		r.put(r.lowest())
	}
}

// put adds a piece to those that are ready.
func (r *results) put(p piece) {
	if len(r.ready) == cap(r.ready) && r.head > len(r.ready)/2 { // rather than grow for ever
		n := copy(r.ready, r.ready[r.head:])
		clear(r.ready[n:])
		r.ready, r.head = r.ready[:n], 0
	}
	r.ready = append(r.ready, p)
	r.next = p.First + p.Count
}

// pop takes the first that is ready.
func (r *results) pop() piece {
	p := r.ready[r.head]
	r.ready[r.head] = piece{}
	if r.head++; r.head == len(r.ready) {
		r.ready, r.head = r.ready[:0], 0
	}
	return p
}

// all takes all that there are.
func (r *results) all() []piece {
	list := append(r.ready[r.head:], r.early...)
	*r = results{}
	return list
}

// raise puts a piece into the heap.
func (r *results) raise(p piece) {
	r.early = append(r.early, p)
	for i := len(r.early) - 1; i > 0; {
		above := (i - 1) / 2
		if r.early[above].First < r.early[i].First {
			return
		}
		r.early[i], r.early[above] = r.early[above], r.early[i]
		i = above
	}
}

// lowest takes the first piece out of the heap.
func (r *results) lowest() piece {
	first, last := r.early[0], len(r.early)-1
	r.early[0] = r.early[last]
	r.early[last] = piece{}
	r.early = r.early[:last]
	for i := 0; ; {
		least := i
		for _, below := range [2]int{2*i + 1, 2*i + 2} {
			if below < last && r.early[below].First < r.early[least].First {
				least = below
			}
		}
		if least == i {
			return first
		}
		r.early[i], r.early[least] = r.early[least], r.early[i]
		i = least
	}
}
