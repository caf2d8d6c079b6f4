//go:build mpcrash

package crash

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"

	"multiproc/mp"
)

// following keeps a copy of a dict by what Watch tells. The function that it returns ends
// that, and compares the copy with the dict.
func (e editing) following(t *testing.T) (check func()) {
	t.Helper()
	const last = -9
	ctx, cancel := context.WithCancel(t.Context())
	changes := e.D.Watch(ctx)
	mirror, err := e.D.Copy(ctx)
	must(t, err)
	ended := make(chan error, 1)
	go func() {
		versions := map[int]uint64{}
		for c, err := range changes {
			switch {
			case err != nil:
				ended <- err
				return
			case c.Op == "clear":
				clear(mirror)
				continue
			case c.Op == "set":
				mirror[c.Key] = c.Value
			default:
				delete(mirror, c.Key)
			}
			if c.Version <= versions[c.Key] {
				ended <- errors.New("a version that does not grow")
				return
			}
			if versions[c.Key] = c.Version; c.Key == last {
				ended <- nil
				return
			}
		}
	}()
	return func() {
		defer cancel()
		must(t, e.D.Set(t.Context(), last, "-1:"))
		err := <-ended
		if errors.Is(err, mp.ErrOverrun) { // the machine did other things
			t.Log(err)
			return
		}
		must(t, err)
		now, err := e.D.Copy(t.Context())
		must(t, err)
		if !maps.Equal(now, mirror) {
			t.Errorf("the dict has %d entries, who watched it has %d, or others", len(now), len(mirror))
		}
	}
}

// teller dies in a change that others watch: they are told of it if it was made.
func teller(t *testing.T, point string) {
	for _, do := range []string{"set", "large", "change", "batch", "clear"} {
		where, n := point, 1
		switch {
		case do == "large" != (point == "dict.oldest"), do == "set" && point == "dict.numbered":
			continue
		case do == "change" || do == "clear":
			where, n = []string{"arena.written", "arena.committed", "arena.applied", "arena.done", "dict.clock"}[rand.IntN(5)], 1+rand.IntN(50)
		}
		e := newEditing(t)
		check := e.following(t)
		die(t, Edit, e.at(do, where, n))
		check()
		e.sound(t)
	}
}

// enlarger dies when the record of a large value has made a ring longer.
func enlarger(t *testing.T, point string) {
	e := newEditing(t)
	check := e.following(t)
	die(t, Edit, e.at("large", point, 2+rand.IntN(5)))
	check()
	e.sound(t)
}

// watcher dies when it begins or ends to watch. Others who watch, and who begin to, are told
// all the same.
func watcher(t *testing.T, point string) {
	for _, others := range []bool{false, true} {
		if others && (point == "dict.watched" || point == "dict.abandoned" || point == "dict.cleaning" || point == "dict.cleaned" || point == "dict.unwatched") {
			continue // it is not the first, or the last
		}
		e := newEditing(t)
		check := func() {}
		if others {
			check = e.following(t)
		}
		die(t, Edit, e.at("watch", point, 1+rand.IntN(3)))
		check()
		check = e.following(t)
		e.sound(t)
		check()
	}
}

// burier dies when it has taken back the place of one who died.
func burier(t *testing.T, point string) {
	e := newEditing(t)
	die(t, Edit, e.at("watch", "dict.watched", 1))
	die(t, Edit, e.at("watch", point, 1))
	check := e.following(t)
	e.sound(t)
	check()
}
