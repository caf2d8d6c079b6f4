//go:build mpcrash

package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

// editing is what those do who die with a dict.
type editing struct {
	Point string
	N     int
	Do    string
	Seed  uint64
	D     *mp.Dict[int, string]
}

// editKeys is how many keys are changed; two more always have the same value.
const editKeys = 300

// valued is a value of a key, of a random length.
func valued(r *rand.Rand, key int) string {
	return fmt.Sprintf("%d:%s", key, strings.Repeat("x", r.IntN(1<<r.IntN(12))))
}

var Edit = mp.Proc(func(ctx context.Context, e editing) error {
	mptest.Arm(e.Point, e.N)
	r := rand.New(rand.NewPCG(e.Seed, 3))
	n := enough
	if e.Do == "grow" { // to where tables of all shards are split again
		n = 100_000
	}
	for i := range n {
		var err error
		key := r.IntN(editKeys)
		switch e.Do {
		case "set":
			err = e.D.Set(ctx, key, valued(r, key))
		case "grow":
			err = e.D.Set(ctx, editKeys+i, fmt.Sprint(editKeys+i, ":"))
		case "change":
			if r.IntN(2) == 0 {
				err = e.D.Set(ctx, key, valued(r, key))
			} else {
				_, err = e.D.Delete(ctx, key)
			}
		case "batch":
			v := valued(r, -1)
			err = e.D.SetBatch(ctx, map[int]string{-1: v, -2: v, key: valued(r, key)})
		case "timed": // each has less time than all before
			err = e.D.SetFor(ctx, key, valued(r, key), time.Hour-time.Duration(i)*time.Second/10)
		case "large":
			err = e.D.Set(ctx, key, fmt.Sprint(key, ":", strings.Repeat("x", 200_000)))
		case "watch":
			changes := e.D.Watch(ctx)
			err = e.D.Set(ctx, key, valued(r, key))
			for _, failed := range changes {
				err = errors.Join(err, failed)
				break
			}
		case "clear":
			err = errors.Join(e.D.Set(ctx, key, valued(r, key)), e.D.Clear(ctx))
		}
		if err != nil {
			return err
		}
	}
	return errAlive
}, mp.Named("edit"))

func newEditing(t *testing.T, opts ...mp.Option) editing {
	t.Helper()
	d, err := mp.NewDict[int, string](opts...)
	e := editing{D: closing(t, d, err), Seed: rand.Uint64()}
	r := rand.New(rand.NewPCG(e.Seed, 4))
	for key := range editKeys {
		must(t, e.D.Set(t.Context(), key, valued(r, key)))
	}
	return e
}

// sound checks a dict in which somebody died: each value is one that was set whole, what
// is changed together was, and everything can be changed at once.
func (e editing) sound(t *testing.T) {
	t.Helper()
	all, err := e.D.Copy(t.Context())
	must(t, err)
	for key, v := range all {
		want := max(key, -1)
		head, tail, _ := strings.Cut(v, ":")
		if key == -2 {
			want = -1
		}
		if head != fmt.Sprint(want) || strings.Trim(tail, "x") != "" {
			t.Errorf("key %d has %.20q", key, v)
		}
		now, err := e.D.Get(t.Context(), key)
		must(t, err)
		if now != v {
			t.Errorf("key %d: Get %.20q, Copy %.20q", key, now, v)
		}
	}
	if all[-1] != all[-2] {
		t.Errorf("a half of a batch: %.20q, %.20q", all[-1], all[-2])
	}
	n, err := e.D.Len(t.Context())
	must(t, err)
	if n != len(all) {
		t.Errorf("Len %d, Copy has %d", n, len(all))
	}
	begin := time.Now()
	for key := range editKeys {
		must(t, e.D.Set(t.Context(), key, fmt.Sprint(key, ":")))
	}
	must(t, e.D.SetBatch(t.Context(), map[int]string{-1: "-1:", -2: "-1:"}))
	stalled(t, time.Since(begin))
}

func (e editing) at(do, point string, n int) editing {
	e.Do, e.Point, e.N = do, point, n
	return e
}

// editor dies in the middle of changes.
func editor(t *testing.T, point string) {
	for _, do := range []string{"set", "change", "grow"} {
		if do == "grow" && (point == "dict.filled" || point == "dict.updated") {
			continue // nothing is there to be changed
		}
		e := newEditing(t)
		die(t, Edit, e.at(do, point, 1+rand.IntN(300)))
		e.sound(t)
	}
}

// timer dies when it has written down when the time of an entry is up.
func timer(t *testing.T, point string) {
	e := newEditing(t, mp.WithTTL(2*time.Hour))
	die(t, Edit, e.at("timed", point, 1+rand.IntN(300)))
	e.sound(t)
}

// grower dies when a table is used again for another.
func grower(t *testing.T, point string) {
	e := newEditing(t)
	die(t, Edit, e.at("grow", point, 1+rand.IntN(3)))
	e.sound(t)
}

// batcher dies in a change of several entries at one moment.
func batcher(t *testing.T, point string) {
	for _, where := range []string{point, "arena.applied"} {
		e := newEditing(t)
		die(t, Edit, e.at("batch", where, 1+rand.IntN(40)))
		e.sound(t)
	}
}

func clearer(t *testing.T, point string) {
	e := newEditing(t)
	die(t, Edit, e.at("clear", point, 1+rand.IntN(10)))
	e.sound(t)
}

// redoer dies when it has completed the change of another who died.
func redoer(t *testing.T, point string) {
	e := newEditing(t)
	die(t, Edit, e.at("set", "arena.committed", 20))
	die(t, Edit, e.at("set", point, 1))
	e.sound(t)
	p := newPaging(t)
	for _, p.Do = range []string{"some", "many"} {
		p.Point, p.N = "arena.committed", 20
		die(t, Page, p)
		p.Point, p.N = point, 1
		die(t, Page, p)
	}
	p.sound(t)
}
