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

// paging is what those do who die with a list. Its elements are in pairs, each of which
// is put there, changed and taken out at one moment.
type paging struct {
	Point string
	N     int
	Do    string
	Seed  uint64
	L     *mp.List[string]
}

// pairs is how many pairs there are at first: more than a leaf has.
const pairs = 400

var Page = mp.Proc(func(ctx context.Context, p paging) error {
	mptest.Arm(p.Point, p.N)
	r := rand.New(rand.NewPCG(p.Seed, 5))
	n := pairs
	for i := range enough {
		var err error
		v := valued(r, i)
		pair := []string{v, v}
		at := 2 * r.IntN(n)
		switch what := r.IntN(4); {
		case p.Do == "many" && what == 0 && n < 4*pairs:
			n *= 2
			err = p.L.Repeat(ctx, 2)
		case p.Do == "many" && what == 1:
			err = p.L.Reverse(ctx)
		case p.Do == "many" && what == 2:
			err = p.L.Sort(ctx, i%2 == 0)
		case p.Do == "many":
			n -= n / 2
			err = p.L.RemoveSlice(ctx, 2*n, mp.End, 1)
		case p.Do == "clear":
			n = 1
			if err = p.L.Clear(ctx); err == nil {
				err = p.L.AppendBatch(ctx, pair)
			}
		case p.Do == "one" && what < 2:
			err = p.L.Set(ctx, -1, v)
		case p.Do == "one" && what == 2:
			err = p.L.Append(ctx, v)
		case p.Do == "one":
			_, err = p.L.Pop(ctx, -1)
		case what == 0:
			err = p.L.AppendBatch(ctx, pair)
			n++
		case what == 1 && n > 1:
			err = p.L.RemoveSlice(ctx, at, at+2, 1)
			n--
		case what == 2:
			err = p.L.SetSlice(ctx, at, at, 1, pair)
			n++
		default:
			err = p.L.SetSlice(ctx, at, at+2, 1, pair)
		}
		if err != nil {
			return err
		}
	}
	return errAlive
}, mp.Named("page"))

func newPaging(t *testing.T) paging {
	t.Helper()
	l, err := mp.NewList[string]()
	p := paging{L: closing(t, l, err), Seed: rand.Uint64()}
	r := rand.New(rand.NewPCG(p.Seed, 6))
	var all []string
	for i := range pairs {
		v := valued(r, i)
		all = append(all, v, v)
	}
	must(t, p.L.AppendBatch(t.Context(), all))
	return p
}

// look checks what can be read: each element is one that was put there whole, and so is
// each pair.
func (p paging) look(t *testing.T) []string {
	t.Helper()
	ctx := t.Context()
	all, err := p.L.Copy(ctx)
	must(t, err)
	n, err := p.L.Len(ctx)
	must(t, err)
	if n != len(all) {
		t.Errorf("Len %d, Copy has %d", n, len(all))
	}
	for i, v := range all {
		head, tail, ok := strings.Cut(v, ":")
		if !ok || strings.Trim(head, "0123456789") != "" || strings.Trim(tail, "x") != "" {
			t.Errorf("element %d is %.20q", i, v)
		}
		if p.Do != "one" && v != all[i&^1] {
			t.Errorf("a half of a pair at %d: %.20q, %.20q", i, all[i&^1], v)
		}
		now, err := p.L.Get(ctx, i)
		must(t, err)
		if now != v {
			t.Errorf("element %d: Get %.20q, Copy %.20q", i, now, v)
		}
	}
	if p.Do != "one" && n%2 != 0 {
		t.Errorf("%d elements in pairs", n)
	}
	return all
}

// sound checks a list in which somebody died: it can be read before anybody changes it, and
// everything can be changed at once. The first change completes that of the dead one.
func (p paging) sound(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	p.look(t)
	begin := time.Now()
	must(t, p.L.AppendBatch(ctx, []string{"1:", "1:"}))
	stalled(t, time.Since(begin))
	all := p.look(t)
	for i := range all {
		must(t, p.L.Set(ctx, i, fmt.Sprint(i, ":")))
	}
	must(t, p.L.Insert(ctx, len(all)/2, "1:"))
	must(t, p.L.AppendBatch(ctx, all))
	must(t, p.L.Sort(ctx, false))
	must(t, p.L.Clear(ctx))
}

// counting is what those do who die while they append numbers.
type counting struct {
	Point string
	N     int
	L     *mp.List[int]
}

var Count = mp.Proc(func(ctx context.Context, c counting) error {
	mptest.Arm(c.Point, c.N)
	n, err := c.L.Len(ctx)
	for i := range enough {
		if err == nil {
			err = c.L.Append(ctx, n+i)
		}
	}
	return errors.Join(err, errAlive)
}, mp.Named("count"))

// appender dies while it appends numbers.
func appender(t *testing.T, point string) {
	ctx := t.Context()
	l, err := mp.NewList[int]()
	closing(t, l, err)
	for range 3 {
		die(t, Count, counting{point, 1 + rand.IntN(600), l})
		begin := time.Now()
		n, err := l.Len(ctx)
		must(t, errors.Join(err, l.Append(ctx, n)))
		stalled(t, time.Since(begin))
		all, err := l.Copy(ctx)
		must(t, err)
		if len(all) != n+1 {
			t.Errorf("%d elements, want %d", len(all), n+1)
		}
		for i, v := range all {
			if v != i {
				t.Fatalf("element %d is %d", i, v)
			}
		}
	}
}

// pager dies in the middle of changes of a list.
func pager(t *testing.T, point string) {
	for _, do := range []string{"one", "some", "many", "clear"} {
		p := newPaging(t)
		p.Do, p.Point, p.N = do, point, 1+rand.IntN(60)
		die(t, Page, p)
		p.sound(t)
	}
}
