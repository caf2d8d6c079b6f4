//go:build mpcrash

package dict

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"multiproc/internal/failpoint"
	"multiproc/internal/mperr"
)

// follower keeps a copy of a dict by what a watcher is told.
type follower struct {
	w        *Watcher
	mirror   map[string]string
	versions map[string]uint64
	lost     bool // it was overrun, and knows nothing any more
}

// follow has a crasher's dict watched from now on. Its rings are so small that the
// histories go round in them, and so large that a step mostly fits.
func (c *crasher) follow(ring uint64) error {
	c.d.minRing, c.d.maxRing = ring, 8*ring
	c.d.Family = &family{self: 1, dead: func(uint32) bool { return false }}
	return c.refollow()
}

func (c *crasher) refollow() (err error) {
	if c.follower != nil {
		c.follower.w.Leave()
	}
	f := &follower{versions: map[string]uint64{}}
	if f.w, err = c.d.Watch(ctx); err != nil {
		return err
	}
	now, err := c.d.contents()
	f.mirror = byKey(now)
	c.follower = f
	return err
}

// listen notes what the watcher knows before a change, and heard what it is told of it.
func (c *crasher) listen() {
	if c.before = nil; c.follower != nil {
		c.before = c.follower.at(c.d)
	}
}

func (c *crasher) heard() (err error) {
	f := c.follower
	if c.told, err = f.hear(); err == nil && f != nil && f.lost {
		c.before, err = nil, c.refollow()
	}
	return err
}

// at is a follower that goes on from where f is, in another dict: a survivor's.
func (f *follower) at(d *Dict) *follower {
	w := *f.w
	w.d, w.at, w.ahead, w.chunk = d, slices.Clone(w.at), slices.Clone(w.ahead), nil
	return &follower{w: &w, mirror: maps.Clone(f.mirror), versions: maps.Clone(f.versions), lost: f.lost}
}

// hear changes the copy by what is told next.
func (f *follower) hear() (told []string, err error) {
	if f == nil || f.lost {
		return nil, nil
	}
	events, err := f.w.round(ctx)
	if errors.Is(err, mperr.ErrOverrun) {
		f.lost = true
		return nil, nil
	}
	for _, e := range events {
		told = append(told, e.say())
		key := fmt.Sprintf("%x", e.Key.Append(nil))
		switch {
		case e.Cleared:
			clear(f.mirror)
			continue
		case e.Gone:
			delete(f.mirror, key)
		default:
			f.mirror[key] = fmt.Sprintf("%x", e.Value.Append(nil))
		}
		if e.Version <= f.versions[key] {
			return nil, fmt.Errorf("key %s: version %d after %d", key, e.Version, f.versions[key])
		}
		f.versions[key] = e.Version
	}
	return told, err
}

// agrees checks the copy when all was told.
func (f *follower) agrees(now contents) error {
	if f == nil {
		return nil
	}
	if _, err := f.hear(); err != nil || f.lost {
		return err
	}
	is := byKey(now)
	for key, v := range is {
		if f.mirror[key] != v {
			return fmt.Errorf("key %s has %.40q, its watcher has %.40q", key, v, f.mirror[key])
		}
	}
	if !f.w.d.Timed && len(is) != len(f.mirror) {
		return fmt.Errorf("there are %d keys, the watcher has %d", len(is), len(f.mirror))
	}
	return nil
}

// survives is a follower of a survivor's dict, which is the first to look at it now and
// then: it has been told some of what the dead was about to do, from the beginning on.
func (c *crasher) survives(d *Dict) (*follower, error) {
	if c.before == nil {
		return nil, nil
	}
	f := c.before.at(d)
	if c.rnd.IntN(2) == 0 {
		return f, nil
	}
	told, err := f.hear()
	if n := len(told); err == nil && !f.lost && (n > len(c.told) || !slices.Equal(told, c.told[:n])) {
		err = fmt.Errorf("it was told %.200q, of %.200q", told, c.told)
	}
	return f, err
}

// rewatch ends a watch and begins another one, and plays the crashes of that.
func (c *crasher) rewatch() error {
	before, err := c.d.contents()
	if err != nil {
		return err
	}
	c.images = c.images[:0]
	failpoint.SetHook(c.hook)
	err = c.refollow()
	failpoint.SetHook(nil)
	if err != nil {
		return err
	}
	for _, img := range c.images {
		if err := c.replaces(img, before); err != nil {
			return fmt.Errorf("killed at %s: %w", img.name, err)
		}
	}
	return nil
}

// replaces opens an image of which all who watched are dead, and watches in their place.
func (c *crasher) replaces(img image, before contents) error {
	d := c.open(img)
	defer d.Detach()
	d.Family = &family{self: 2, dead: func(slot uint32) bool { return slot != 2 }}
	failpoint.SetHook(func(name string) { c.hits[name]++ })
	defer failpoint.SetHook(nil)
	now, err := d.contents()
	if err != nil || !slices.Equal(now, before) {
		return fmt.Errorf("there is %v, before %v: %w", now, before, err)
	}
	k := d.Key(intCell(c.keys+5), nil)
	change := func() error {
		_, err := d.Set(ctx, &k, intCell(7), Always)
		return err
	}
	if c.rnd.IntN(2) == 0 {
		was := d.load(offWatched)
		if err := change(); err != nil {
			return err
		}
		if is := d.load(offWatched); is != was && is != unwatched || is == abandoned {
			return fmt.Errorf("watched was %d, and is %d after a change", was, is)
		}
	}
	w, err := d.Watch(ctx)
	if err == nil {
		err = change()
	}
	if err != nil {
		return err
	}
	events, err := w.round(ctx)
	events = slices.DeleteFunc(events, func(e Event) bool { return d.Timed && e.Gone })
	if err != nil || len(events) != 1 || events[0].Key.Word != intCell(c.keys+5).Word {
		return fmt.Errorf("a new watcher was told %v, %w", events, err)
	}
	w.Leave()
	if is := d.load(offWatched); is != unwatched {
		return fmt.Errorf("nobody is left, watched is %d", is)
	}
	for i := range MaxWatchers {
		if who := *d.place(i); who != 0 {
			return fmt.Errorf("nobody is left, place %d is of %#x", i, who)
		}
	}
	for i := range d.shards {
		if feed := d.shards[i].feed; d.load(uintptr(feed+feedLength)) != 0 || d.load(uintptr(feed+feedHead)) != d.load(uintptr(feed+feedClean)) {
			return fmt.Errorf("nobody is left, feed %d has memory", i)
		}
	}
	return d.check()
}
