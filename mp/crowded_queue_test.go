//go:build linux

package mp_test

import (
	"context"
	"testing"

	"multiproc/mp"
)

// PutNumbers puts first, first+1 and so on.
var PutNumbers = mp.Proc(putNumbers)

type numbers struct {
	Q        *mp.Queue[int]
	First, N int
}

func putNumbers(ctx context.Context, j numbers) error {
	for i := range j.N {
		if err := j.Q.Put(ctx, j.First+i); err != nil {
			return err
		}
	}
	return nil
}

// Items that were put before and after a child starts arrive in order
// (test_fork), and a putter may be gone at once with any amount put.
func TestFIFOAcrossProcesses(t *testing.T) {
	q := queue[int](t, 0)
	must(t, putNumbers(t.Context(), numbers{q, 0, 10}))
	finish(t, start(t, PutNumbers, numbers{q, 10, 100_000}))
	must(t, putNumbers(t.Context(), numbers{q, 100_010, 10}))
	for i := range 100_020 {
		if v := get(q.TryGet(t.Context()))(t); v != i {
			t.Fatalf("item %d is %d", i, v)
		}
	}
}

func TestManyPuttersAndGetters(t *testing.T) {
	const each, procs = 5000, 3
	q := queue[int](t, 16)
	out := queue[[]int](t, 0)
	var putters, getters []mp.Child
	for i := range procs {
		putters = append(putters, start(t, PutNumbers, numbers{q, i * each, each}))
		getters = append(getters, start(t, Collect, collect{q, out}))
	}
	for _, p := range putters {
		finish(t, p)
	}
	must(t, q.CloseWrite(t.Context()))
	seen := make([]bool, each*procs)
	for _, p := range getters {
		finish(t, p)
		last := make([]int, procs)
		for _, v := range get(out.TryGet(t.Context()))(t) {
			if seen[v] {
				t.Fatalf("%d came twice", v)
			}
			if seen[v] = true; v%each < last[v/each] {
				t.Fatalf("%d came after %d of the same putter", v, last[v/each])
			}
			last[v/each] = v % each
		}
	}
	for v, ok := range seen {
		if !ok {
			t.Fatalf("%d was lost", v)
		}
	}
}

type collect struct {
	Q   *mp.Queue[int]
	Out *mp.Queue[[]int]
}

// Collect gets all that there is and hands it over.
var Collect = mp.Proc(func(ctx context.Context, c collect) error {
	var got []int
	for v, err := range c.Q.Drain(ctx) {
		if err != nil {
			return err
		}
		got = append(got, v)
	}
	return c.Out.Put(ctx, got)
}, mp.Named("collect"))
