//go:build mpcrash

package dict

import (
	"fmt"

	"multiproc/internal/cell"
	"multiproc/internal/failpoint"
)

// words plays the crashes of changes by the short way, of keys that are there.
func (c *crasher) words(n int) error {
	const keys = 4
	word := func(i int) cell.Cell { return intCell(1_000_000 + i%keys) }
	warm := func() error { // until the locks are resident
		for i := range 300 {
			k := c.d.Key(word(i), nil)
			if _, err := c.d.Set(ctx, &k, intCell(i), Always); err != nil {
				return err
			}
		}
		return nil
	}
	went := 0
	for i := range n {
		if err := warm(); err != nil {
			return err
		}
		before, err := c.d.contents()
		if err != nil {
			return err
		}
		c.images = c.images[:0]
		failpoint.SetHook(c.hook)
		short := c.d.SetWord(word(i).Word, intCell(1000+i).Word)
		failpoint.SetHook(nil)
		if !short {
			continue
		}
		went++
		after, err := c.d.contents()
		if err != nil {
			return err
		}
		for _, img := range c.images {
			if err := c.inherit(img, before, after); err != nil {
				return fmt.Errorf("killed at %s: %w", img.name, err)
			}
		}
	}
	if went < n/2 {
		return fmt.Errorf("%d of %d changes went by the short way", went, n)
	}
	return nil
}
