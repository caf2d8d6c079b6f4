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
	item     float64 // nanoseconds that an item takes: worked / items
	items    float64 // of the orders so far, of which the last ones count most
	worked   float64 // what those took
	overhead float64 // what an order takes beside its items
	known    bool
}

const (
	minTarget  = 300 * time.Microsecond // that an order takes at least, if there are items enough
	maxTarget  = time.Millisecond
	perOrder   = 50                    // how many times its overhead it takes
	worthwhile = 50 * time.Microsecond // less is not given to another worker: it would have to be woken
	smoothing  = 0.25
)

// atLeast learns from an order that is not done: its items take so long or longer.
func (p *pace) atLeast(each time.Duration) {
	if item := float64(each); !p.known || item > p.item {
		p.item, p.items, p.worked, p.known = item, 1, item, true
	}
}

// observe learns from an order: its items, what they took, and the time from the
// order to its note beyond that, negative where that says nothing.
//
// An order of a few items hardly counts, and neither does one of a moment: most of
// what it took may be that its worker had to wait for a processor.
func (p *pace) observe(items int, worked, beyond time.Duration) {
	if items == 0 {
		return
	}
	n, took := float64(items), float64(worked)
	forget := 1.0
	if p.known {
		forget = smoothing * min(1, max(n/float64(p.wanted()), took/float64(maxTarget)))
	}
	p.items += n - forget*p.items
	p.worked += took - forget*p.worked
	p.item, p.known = p.worked/p.items, true
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
	least := 1
	if p.known {
		least = int(max(float64(worthwhile)/max(p.item, 1), 1))
	}
	return min(p.wanted(), max(least, (waiting+2*workers-1)/(2*workers)))
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
		n = max(fixed, min(n, 512*fixed))
	}
	return max(minWindow, 4*workers*n)
}

const minWindow = 64
