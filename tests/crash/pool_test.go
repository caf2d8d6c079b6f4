//go:build mpcrash

package crash

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"multiproc/mp"
	"multiproc/pool"
)

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

// lengthen has results that do not fit into the room that a pool gives at first.
func lengthen(_ context.Context, s string) (string, error) { return strings.Repeat(s, 2000), nil }

var (
	Double   = mp.Func(double)
	Lengthen = mp.Func(lengthen)
)

// poolWorker lets each worker of a pool die at a point, and checks
// that every item has its result or the error that its worker died, and that only
// those have one that were running.
func poolWorker(t *testing.T, point string) {
	t.Helper()
	running := point == "pool.item.done" || point == "pool.room"
	hit := ":3"
	if point == "pool.room" {
		hit = ":1" // the pool learns how much room results need
	}
	for _, chunk := range []int{1, 10} {
		p, err := pool.New(pool.Options{
			Workers: 2, Start: mp.StartOptions{Env: append(os.Environ(), "MP_FAILPOINT="+point+hit)},
		})
		must(t, err)
		ex := p.With(pool.Call{Chunk: chunk})
		const n = 100
		numbers, texts := make([]int, n), make([]string, n)
		for i := range n {
			numbers[i], texts[i] = i, strconv.Itoa(i)
		}
		failed, i := 0, 0
		check := func(ok bool, err error) {
			var died *pool.WorkerDiedError
			switch {
			case errors.As(err, &died):
				if failed++; died.Index != i || !running && point != "pool.item.published" {
					t.Errorf("item %d: %v", i, err)
				}
			case err != nil || !ok:
				t.Errorf("item %d: %v", i, err)
			}
			i++
		}
		for r, err := range Double.Map(t.Context(), ex, slices.Values(numbers)) {
			check(r == 2*i, err)
		}
		if i != n {
			t.Errorf("%d results of %d", i, n)
		}
		i = 0
		for r, err := range Lengthen.Map(t.Context(), ex, slices.Values(texts)) {
			check(len(r) == 2000*len(texts[i%n]), err)
		}
		if i != n {
			t.Errorf("%d results of %d", i, n)
		}
		if running && failed == 0 {
			t.Error("no worker died")
		}
		must(t, p.Stop(t.Context()))
	}
}
