package ledger

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// memory is zeroed, and shared as far as a lock can tell.
func memory(t *testing.T, size int64) unsafe.Pointer {
	t.Helper()
	seg, err := shm.Create(shm.Header{Kind: shm.KindSemaphore, Size: shm.HeaderSize + size})
	if err != nil {
		t.Fatal(err)
	}
	p, err := seg.Map(0, seg.Size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = seg.Close() })
	return unsafe.Add(p, shm.HeaderSize)
}

// people are the processes of a family that the test plays.
type people struct {
	dead map[table.Ref]bool
}

// one is a process of them.
type one struct {
	*people
	self table.Ref
}

func (o one) Self() table.Ref           { return o.self }
func (p *people) Live(r table.Ref) bool { return !p.dead[r] }

// player is a process with a handle, and what the model knows of it.
type player struct {
	s   *Semaphore
	ref table.Ref
	has int
}

// Whoever acquires, gives and dies in whatever order: there are as many permits as
// the rules say.
func TestSemaphoreModel(t *testing.T) {
	for _, initial := range []int{0, 3} {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 1))
		m := memory(t, SemaphoreSize)
		all := &people{dead: map[table.Ref]bool{}}
		gens := map[uint32]uint32{}
		free := initial
		join := func(slot uint32) *player {
			ref := table.Ref{Slot: slot, Gen: gens[slot]}
			p := &player{s: &Semaphore{}, ref: ref}
			p.s.Attach(m, initial, shm.ID{1, byte(slot)}, one{all, ref})
			return p
		}
		players := []*player{join(0), join(1), join(700), join(slots - 1)}
		for i := range 4000 {
			p := players[r.IntN(len(players))]
			n := 1 + r.IntN(3)
			switch r.IntN(8) {
			case 0, 1, 2:
				ok, err := p.s.TryAcquire(t.Context(), n)
				if err != nil || ok != (free >= n) {
					t.Fatalf("step %d: acquire %d of %d: %v, %v", i, n, free, ok, err)
				}
				if ok {
					free, p.has = free-n, p.has+n
				}
			case 3, 4, 5:
				bounded := r.IntN(2) == 0
				err := p.s.Release(t.Context(), n, bounded)
				if full := bounded && free+n > initial; full != errors.Is(err, mperr.ErrValue) {
					t.Fatalf("step %d: release %d to %d of %d: %v", i, n, free, initial, err)
				}
				if err == nil {
					free, p.has = free+n, p.has-n
				}
			case 6:
				all.dead[p.ref] = true
				if p.has > 0 { // comes back, but never above initial
					free += min(p.has, max(initial-free, 0))
				}
				gens[p.ref.Slot]++
				*p = *join(p.ref.Slot) // which looks through the accounts
				if _, err := p.s.TryAcquire(t.Context(), MaxPermits); err != nil {
					t.Fatal(err)
				}
			default: // another handle of a process
				q := *p
				*p = *join(p.ref.Slot)
				p.has = q.has
			}
		}
	}
}

// Who wants many is not passed by who wants few.
func TestLargeRequestsDoNotStarve(t *testing.T) {
	m := memory(t, SemaphoreSize)
	all := &people{}
	a, b := &Semaphore{}, &Semaphore{}
	a.Attach(m, 3, shm.ID{1}, one{all, table.Ref{Slot: 1}})
	b.Attach(m, 3, shm.ID{2}, one{all, table.Ref{Slot: 2}})
	ctx := t.Context()
	if err := a.Acquire(ctx, 1); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() { got <- b.Acquire(ctx, 3) }()
	for a.Waiting() == 0 {
		select {
		case err := <-got:
			t.Fatal(err)
		default:
		}
	}
	if ok, err := a.TryAcquire(ctx, 1); ok || err != nil {
		t.Errorf("passed one who waits: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	few := make(chan error)
	go func() { few <- a.Acquire(ended, 1) }()
	for a.Waiting() < 2 {
		runtime.Gosched()
	}
	cancel()
	if err := <-few; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := a.Release(ctx, 1, true); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if err := b.Release(ctx, 3, true); err != nil || a.Waiting() != 0 {
		t.Errorf("%v, %d wait", err, a.Waiting())
	}
}

// A process with several handles has one place in the line: its goroutines take turns
// there, and none is lost.
func TestHandlesOfOneProcess(t *testing.T) {
	m := memory(t, SemaphoreSize)
	all := &people{}
	got := make(chan error)
	var handles [3]*Semaphore
	for i := range handles {
		handles[i] = &Semaphore{}
		handles[i].Attach(m, 0, shm.ID{3}, one{all, table.Ref{Slot: 5}})
	}
	for round := range 300 {
		for _, s := range handles {
			go func() { got <- s.Acquire(t.Context(), 1) }()
		}
		for range round % 50 { // all of them stand there, or some, or none
			runtime.Gosched()
		}
		for range handles {
			if err := handles[1].Release(t.Context(), 1, false); err != nil {
				t.Fatal(err)
			}
		}
		for range handles {
			if err := <-got; err != nil {
				t.Fatal(err)
			}
		}
	}
	go func() { got <- handles[1].Acquire(t.Context(), 1) }()
	for handles[0].Waiting() == 0 {
		runtime.Gosched()
	}
	ended, cancel := context.WithCancel(t.Context())
	go func() { got <- handles[0].Acquire(ended, 1) }()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := handles[1].Release(t.Context(), 1, false); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if n := handles[0].Waiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
	go func() { got <- handles[2].Acquire(t.Context(), 1) }()
	for handles[0].Waiting() == 0 {
		runtime.Gosched()
	}
	go func() { got <- handles[1].Acquire(t.Context(), 1) }()
	handles[1].Abort()
	handles[2].Abort()
	for range 2 {
		if err := <-got; !errors.Is(err, mperr.ErrClosed) {
			t.Error(err)
		}
	}
	for _, s := range handles {
		s.Detach()
	}
	doors.mu.Lock()
	defer doors.mu.Unlock()
	if d := doors.m[shm.ID{3}]; d != nil {
		t.Errorf("%d handles to what is closed", d.handles)
	}
}
