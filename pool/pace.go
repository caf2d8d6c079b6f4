package pool

import "time"

// pace finds out how many items to give a worker at once. An order costs time of
// its own, so it should take long beside that; but the longer it is, the later it
// is known that another worker could have done a part of it.
//
// Guided self-scheduling (Polychronopoulos, Kuck: IEEE Transactions on Computers
// C-36, 1987) takes a fixed part of what is left for each; here what is left is
// what waits in the window, which amounts to the same once the input has ended.
type pace struct {
	item     float64 // nanoseconds that an item takes, an average in which the last orders count most
	overhead float64 // and an order beside its items
	known    bool
}

// atLeast learns from an order that is not done: its items take so long or longer.
func (p *pace) atLeast(each time.Duration) {
	if p.item = max(p.item, float64(each)); !p.known {
		p.known = true
	}
}

const (
	minTarget = 300 * time.Microsecond // that an order takes at least, if there are items enough
	maxTarget = time.Millisecond
	perOrder  = 50 // how many times its overhead it takes
	smoothing = 0.25
)

// observe learns from an order: its items, what they took, and the time from the
// order to its note beyond that, negative where that says nothing.
func (p *pace) observe(items int, worked, beyond time.Duration) {
	if items == 0 {
		return
	}
	each := float64(worked) / float64(items)
	if !p.known {
		p.item, p.known = each, true
	} else {
		p.item += smoothing * (each - p.item)
	}
	if beyond >= 0 {
		if p.overhead == 0 {
			p.overhead = float64(beyond)
		}
		p.overhead += smoothing * (float64(beyond) - p.overhead)
	}
}

// wanted is how many items take as long as an order should.
func (p *pace) wanted() int {
	if !p.known {
		return 1
	}
	target := min(max(float64(minTarget), perOrder*p.overhead), float64(maxTarget))
	return int(min(max(target/max(p.item, 1), 1), 1<<16))
}

// chunk is how many of the items that wait are given to one of so many workers;
// fixed is what the user wants, 0 for nothing.
func (p *pace) chunk(fixed, waiting, workers int) int {
	if fixed > 0 {
		return fixed
	}
	return min(p.wanted(), max(1, (waiting+2*workers-1)/(2*workers)))
}

// ahead is how many orders a worker may have beyond the one it carries out: so
// many that it need not wait for the next, and no more, for they wait for it.
func (p *pace) ahead(fixed int) int {
	if !p.known {
		return 0
	}
	n := p.wanted()
	if fixed > 0 {
		n = fixed
	}
	each := max(p.item, 1) * float64(n)
	switch {
	case each > float64(2*maxTarget):
		return 0
	case fixed == 0 && n > 1:
		return 1
	}
	return int(min(max(float64(minTarget)/each, 1), maxAhead))
}

const maxAhead = 64

// window is how many items are taken from the input ahead of their results: those
// of some orders for each worker, or of some hundred if these are small by wish.
func (p *pace) window(fixed, workers int) int {
	n := p.wanted()
	if fixed > 0 {
		n = max(fixed, min(n, 128*fixed))
	}
	return max(64, 16*workers*n)
}
