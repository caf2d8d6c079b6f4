package ledger

import (
	"errors"
	"math/rand/v2"
	"testing"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/table"
)

// The layout is part of what other processes of the family read.
func TestWaitGroupLayout(t *testing.T) {
	var m waitGroup
	for what, is := range map[string][2]uintptr{
		"round": {unsafe.Offsetof(m.round), 24}, "count": {unsafe.Offsetof(m.count), 32}, "ticket": {unsafe.Offsetof(m.ticket), 40},
		"high": {unsafe.Offsetof(m.high), 48}, "journal": {unsafe.Offsetof(m.journal), 56}, "losses": {unsafe.Offsetof(m.losses), 88},
		"accounts": {unsafe.Offsetof(m.account), accountsAt}, "an account": {unsafe.Sizeof(m.account[0]), 24},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: %d, want %d", what, is[0], is[1])
		}
	}
}

// worker is a process with a handle to a wait group.
type worker struct {
	w   *WaitGroup
	ref table.Ref
}

// Whoever adds, does, takes over and dies in whatever order: there is as much to do, and
// as much is lost, as in a model that has a list of whose each part is.
func TestWaitGroupModel(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		m, all, gens := memory(t, WaitGroupSize), &people{dead: map[table.Ref]bool{}}, map[uint32]uint32{}
		parts, lost := []debt{}, false // oldest first
		total := func() (n int) {
			for _, p := range parts {
				n += p.n
			}
			return n
		}
		of := func(who int) int {
			for i, p := range parts {
				if p.who == who {
					return i
				}
			}
			return -1
		}
		take := func(i, n int) {
			if parts[i].n -= n; parts[i].n == 0 {
				parts = append(parts[:i], parts[i+1:]...)
			}
		}
		give := func(who, n int) {
			if i := of(who); i >= 0 {
				parts[i].n += n
			} else {
				parts = append(parts, debt{who, n})
			}
		}
		join := func(slot uint32) worker {
			x := worker{&WaitGroup{}, table.Ref{Slot: slot, Gen: gens[slot]}}
			x.w.Attach(m, one{all, x.ref})
			return x
		}
		workers := []worker{join(0), join(1), join(700), join(slots - 1)}
		ctx := t.Context()
		for i := range 2000 {
			who := r.IntN(len(workers))
			x, n := &workers[who], 1+r.IntN(3)
			var err error
			refused := false
			switch r.IntN(9) {
			case 0, 1, 2:
				lost = lost && total() > 0
				give(who, n)
				err = x.w.Add(ctx, int64(n))
			case 3, 4, 5:
				if refused = n > total(); !refused {
					for range n {
						take(max(of(who), 0), 1)
					}
				}
				err = x.w.Add(ctx, int64(-n))
			case 6:
				if refused = total() == 0; !refused {
					for i := range parts {
						if parts[i].who != who {
							take(i, 1)
							give(who, 1)
							break
						}
					}
				}
				err = x.w.Take(ctx)
			case 7:
				if refused = total() == 0; !refused {
					lost = true
					take(max(of(who), 0), 1)
				}
				err = x.w.Lose(ctx, 5)
			default:
				all.dies(x.ref)
				if i := of(who); i >= 0 {
					lost = true
					take(i, parts[i].n)
				}
				gens[x.ref.Slot]++
				*x = join(x.ref.Slot)
			}
			if refused != errors.Is(err, mperr.ErrValue) || !refused && err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
			left, err := x.w.Count(ctx)
			if err != nil || left != int64(total()) {
				t.Fatalf("seed %d, step %d: %d are left, %v, want %d", seed, i, left, err, total())
			}
			if total() == 0 && i > 0 {
				if died, _, err := x.w.Wait(ctx); err != nil || died != lost {
					t.Fatalf("seed %d, step %d: something was lost: %v, %v, want %v", seed, i, died, err, lost)
				}
			}
		}
	}
}
