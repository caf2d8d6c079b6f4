package arena

import (
	"fmt"

	"multiproc/internal/mperr"
)

// Size is how many bytes the heap has in runs with blocks, and how many of them no
// living block has.
func (h *Heap) Size() (size, dead uint64) {
	return h.Load(h.words + heapSize), h.Load(h.words + heapDead)
}

// Check walks over all runs and compares what is counted with what is there. Nobody
// changes anything meanwhile. The error means nothing if the view was lost.
func (h *Heap) Check() error {
	size, dead, idle := uint64(0), uint64(0), uint64(0)
	last, first := uint64(0), h.Load(h.words+heapRuns)
	for run, n := first, 0; run != 0 && n < maxRuns; run, n = h.Load(run+runNext), n+1 {
		last = run
		got, gone := h.Load(run+runSize), h.Load(run+runDead)
		size += got
		end := h.Load(run + runEnd)
		if end == single {
			b := h.BlockAt(run + runHead + blockHead)
			if b.Dead {
				dead += got - runHead
			}
			if want := got - runHead - blockBytes(b.Len); !b.Dead && gone != want || b.Dead && gone != got-runHead {
				return fmt.Errorf("run %#x of %d bytes for the block %+v has %d dead: %w", run, got, b, gone, mperr.ErrCorrupt)
			}
			continue
		}
		sum := run + got - end
		if run == first {
			sum, end = 0, h.Load(h.words+heapFill)
		} else {
			dead += gone
		}
		for at := run + runHead; at < end; {
			b := h.BlockAt(at + blockHead)
			n := blockBytes(b.Len)
			if b.run != run || at+n > end {
				return fmt.Errorf("run %#x has no block at %#x: %w", run, at, mperr.ErrCorrupt)
			}
			if b.Dead {
				sum += n
			}
			at += n
		}
		if gone != sum {
			return fmt.Errorf("run %#x of %d bytes has %d dead, of which %d were found: %w", run, got, gone, sum, mperr.ErrCorrupt)
		}
	}
	for run, n := h.Load(h.words+heapSpare), 0; run != 0 && n < maxRuns; run, n = h.Load(run+runNext), n+1 {
		idle += h.Load(run + runSize)
	}
	words := [...]uint64{size, dead, idle, last}
	for i, off := range [...]uint64{heapSize, heapDead, heapIdle, heapLast} {
		if is := h.Load(h.words + off); is != words[i] {
			return fmt.Errorf("the heap's word %d is %d, it must be %d: %w", off, is, words[i], mperr.ErrCorrupt)
		}
	}
	return nil
}

// Living calls f with all living blocks. Nobody changes anything meanwhile. It is for
// tests, which look for blocks that nobody has.
func (h *Heap) Living(f func(off uint64, b Block)) {
	first := h.Load(h.words + heapRuns)
	for run, n := first, 0; run != 0 && n < maxRuns && !h.Lost(); run, n = h.Load(run+runNext), n+1 {
		r := Run{run, h.Load(run + runSize), run + runHead, h.Load(run + runEnd)}
		switch {
		case r.end == single:
			r.end = r.next + blockBytes(h.BlockAt(r.next+blockHead).Len)
		case run == first:
			r.end = h.Load(h.words + heapFill)
		}
		for {
			off, b, ok := h.Next(&r)
			if !ok {
				break
			}
			f(off, b)
		}
	}
}
