//go:build mpcrash

package dict

import "fmt"

// check walks over all memory of a dict that nobody is changing, and compares what is
// counted with what is there.
func (d *Dict) check() error {
	for i := range d.shards {
		c := d.callOf(&d.shards[i])
		for {
			err := c.check()
			if !c.h.Lost() {
				if err != nil {
					return fmt.Errorf("shard %d: %w", i, err)
				}
				break
			}
			if err := c.h.Find(); err != nil {
				return fmt.Errorf("shard %d: %w", i, err)
			}
		}
	}
	return nil
}

func (c *call) check() error {
	if c.s.load(frontGen) != c.d.load(offGen) {
		return nil
	}
	c.h.BeginHeap(c.s.back+backHeap, c.s.back+backJournal)
	if err := c.h.Check(); err != nil {
		return err
	}
	live, all := uint64(0), uint64(0)
	next, least, looked := c.s.load(frontNext), c.s.load(frontLeast), c.s.load(frontLook)
	if log := c.s.load(frontLog); log != 0 {
		for j := range c.chunks(log) {
			chunk := c.h.Load(log + logFirst + 8*j)
			live += c.alive(chunk)
			all += c.entries(chunk)
			for k := uint64(0); c.d.Timed && k < c.entries(chunk); k++ {
				at := chunk + chunkFirst + k*c.d.entry
				state, birth := c.h.Load(at+entryState), c.h.Load(at+entryBirth)
				due := c.h.Load(at + entryDue + 8*(state&stateSlot))
				if state == 0 || due == 0 {
					continue
				}
				if next == 0 || next > due || birth <= looked && (least == 0 || least > due) {
					return fmt.Errorf("entry %d has until %d, next %d; looked up to %d, least %d", birth, due, next, looked, least)
				}
			}
		}
	}
	if count, holes := c.s.load(frontCount)>>32, c.s.load(frontHoles); count != live || holes != all-live {
		return fmt.Errorf("%d entries and %d holes are counted, there are %d and %d", count, holes, live, all-live)
	}
	return nil
}
