package server

import "time"

// leaveTracker tells the processes of another machine that leave in order from
// those that die. All that is seen of them are channels that end, and
// references that are given back over connections of their own: a process that
// leaves gives back its proxies, one that dies does not. So each reference that
// is given back announces the end of one channel which has used the object
// before and not since, and which ends soon.
//
// One channel, and not all: as long as others live they give nothing back, and
// their deaths must be noticed. Soon, because a program that lets go of a
// proxy and lives on announces nothing; and one that leaves gives back its
// proxies one after the other, and closes its channel with the last.
//
// The first reference to an object comes with the answer that brings it. CPython
// gives it back as soon as it has one of its own, and that announces nothing.
//
// That is good enough for locks, where a mistake releases too early or too late.
// A reference that was counted down by mistake would take an object away from
// under those who use it: a death counts it down only if nobody there has given
// back a reference to the object since the dead one used it.
//
// A pyClient's mutex guards it. The zero leaveTracker is ready for use.
type leaveTracker struct {
	given map[uint64]int         // references that came with an answer, until they are given back
	back  map[uint64][]time.Time // when others were, until it has been made use of
	last  map[uint64]time.Time   // when any was
}

func (d *leaveTracker) init() {
	if d.given == nil {
		d.given, d.back, d.last = map[uint64]int{}, map[uint64][]time.Time{}, map[uint64]time.Time{}
	}
}

// leaveTimeout is how long a process may take to end its channel after it gave a
// reference back.
const leaveTimeout = 5 * time.Second

// gave takes note of a reference that came with an answer.
func (d *leaveTracker) gave(id uint64) {
	d.init()
	d.given[id]++
}

// decref takes note of a reference that was given back, the last one or not.
func (d *leaveTracker) decref(id uint64, last bool) {
	d.init()
	now := time.Now()
	d.last[id] = now
	switch {
	case last: // nobody has to be told from others
		delete(d.given, id)
		delete(d.back, id)
		delete(d.last, id)
	case d.given[id] > 0:
		if d.given[id]--; d.given[id] == 0 {
			delete(d.given, id)
		}
	default:
		d.back[id] = append(d.fresh(id), now)
	}
}

// announced reports whether a reference was given back after that moment, and
// takes note that its giver has left.
func (d *leaveTracker) announced(id uint64, since time.Time) bool {
	fresh := d.fresh(id)
	for i, t := range fresh {
		if t.Before(since) {
			continue
		}
		if d.back[id] = append(fresh[:i], fresh[i+1:]...); len(d.back[id]) == 0 {
			delete(d.back, id)
		}
		return true
	}
	return false
}

// since reports whether any reference was given back after that moment.
func (d *leaveTracker) since(id uint64, t time.Time) bool { return d.last[id].After(t) }

// fresh forgets what was announced too long ago.
func (d *leaveTracker) fresh(id uint64) []time.Time {
	all := d.back[id]
	for len(all) > 0 && time.Since(all[0]) > leaveTimeout {
		all = all[1:]
	}
	if len(all) == 0 {
		delete(d.back, id)
		return nil
	}
	d.back[id] = all
	return all
}
