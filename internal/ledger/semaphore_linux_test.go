package ledger

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
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
	mu   sync.Mutex
	dead map[table.Ref]bool
}

func (p *people) dies(r table.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead[r] = true
}

// one is a process of them.
type one struct {
	*people
	self table.Ref
}

func (o one) Self() table.Ref { return o.self }

func (p *people) Live(r table.Ref) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.dead[r]
}

// player is a process with a handle.
type player struct {
	s   *Semaphore
	ref table.Ref
}

// model is a semaphore as internal/objects has it.
type model struct {
	initial, free int
	debts         []debt // the oldest first
}

type debt struct{ who, n int }

func (m *model) owed() (n int) {
	for _, d := range m.debts {
		n += d.n
	}
	return n
}

// pay takes one off a debt.
func (m *model) pay(i int) {
	if m.debts[i].n--; m.debts[i].n == 0 {
		m.debts = append(m.debts[:i], m.debts[i+1:]...)
	}
}

func (m *model) of(who int) int {
	for i, d := range m.debts {
		if d.who == who {
			return i
		}
	}
	return -1
}

func (m *model) acquire(who, n int) {
	m.free -= n
	if n = min(n, m.initial); n == 0 {
		return
	}
	for range m.owed() + n - m.initial {
		m.pay(0)
	}
	if i := m.of(who); i >= 0 {
		m.debts[i].n += n
	} else {
		m.debts = append(m.debts, debt{who, n})
	}
}

func (m *model) release(who, n int) {
	m.free += n
	for range min(n, m.owed()) {
		m.pay(max(m.of(who), 0))
	}
}

func (m *model) dies(who int) {
	if i := m.of(who); i >= 0 {
		m.free += m.debts[i].n
		m.debts = append(m.debts[:i], m.debts[i+1:]...)
	}
}

// Whoever acquires, gives and dies in whatever order: there are as many permits as
// there would be in a manager.
func TestSemaphoreModel(t *testing.T) {
	for round := range 20 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		initial := round % 4
		m := memory(t, SemaphoreSize)
		all := &people{dead: map[table.Ref]bool{}}
		gens := map[uint32]uint32{}
		want := model{initial: initial, free: initial}
		join := func(slot uint32) player {
			p := player{s: &Semaphore{}, ref: table.Ref{Slot: slot, Gen: gens[slot]}}
			p.s.Attach(m, initial, shm.ID{1, byte(slot)}, one{all, p.ref})
			return p
		}
		players := []player{join(0), join(1), join(700), join(slots - 1)}
		for i := range 2000 {
			who := r.IntN(len(players))
			p := &players[who]
			n := 1 + r.IntN(5)
			switch r.IntN(8) {
			case 0, 1, 2:
				ok, err := p.s.TryAcquire(t.Context(), n)
				if err != nil || ok != (want.free >= n) {
					t.Fatalf("seed %d, %d permits, step %d: acquire %d of %d: %v, %v", seed, initial, i, n, want.free, ok, err)
				}
				if ok {
					want.acquire(who, n)
				}
			case 3, 4, 5:
				bounded := r.IntN(2) == 0
				err := p.s.Release(t.Context(), n, bounded)
				if full := bounded && want.free+n > initial; full != errors.Is(err, mperr.ErrValue) {
					t.Fatalf("seed %d, %d permits, step %d: release %d to %d: %v", seed, initial, i, n, want.free, err)
				}
				if err == nil {
					want.release(who, n)
				}
			case 6:
				all.dies(p.ref)
				want.dies(who)
				gens[p.ref.Slot]++
				*p = join(p.ref.Slot)
				if _, err := p.s.TryAcquire(t.Context(), MaxPermits); err != nil { // looks through the accounts
					t.Fatal(err)
				}
			default: // another handle of the process
				*p = join(p.ref.Slot)
			}
		}
	}
}

// Permits that one process acquires and another releases are no debt: the death of the
// first does not bring back what a third has.
func TestHandOverThenDeath(t *testing.T) {
	m := memory(t, SemaphoreSize)
	all := &people{dead: map[table.Ref]bool{}}
	var s [4]*Semaphore
	for i := range s {
		s[i] = &Semaphore{}
		s[i].Attach(m, 1, shm.ID{9, byte(i)}, one{all, table.Ref{Slot: uint32(i)}})
	}
	ctx := t.Context()
	if err := errors.Join(s[0].Acquire(ctx, 1), s[1].Release(ctx, 1, true), s[2].Acquire(ctx, 1)); err != nil {
		t.Fatal(err)
	}
	all.dies(table.Ref{Slot: 0})
	s[3].begin()
	if ok, err := s[3].TryAcquire(ctx, 1); ok || err != nil {
		t.Errorf("two have the one permit: %v", err)
	}
	if err := s[2].Release(ctx, 1, true); err != nil {
		t.Error(err)
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

// A process whose death nobody has told of, because its starter is stopped, is missed
// all the same.
func TestUntoldDeath(t *testing.T) {
	all := &people{dead: map[table.Ref]bool{}}
	var s [2]*Semaphore
	var b [2]*Barrier
	ms, mb := memory(t, SemaphoreSize), memory(t, BarrierSize)
	for i := range s {
		s[i], b[i] = &Semaphore{}, &Barrier{}
		s[i].Attach(ms, 1, shm.ID{10, byte(i)}, one{all, table.Ref{Slot: uint32(i)}})
		b[i].Attach(mb, 3, one{all, table.Ref{Slot: uint32(i)}})
	}
	ctx := t.Context()
	if ok, err := s[1].TryAcquire(ctx, 1); !ok || err != nil { // it has looked
		t.Fatal(ok, err)
	}
	if err := errors.Join(s[1].Release(ctx, 1, true), s[0].Acquire(ctx, 1)); err != nil {
		t.Fatal(err)
	}
	ends, cancel := context.WithCancel(ctx)
	came := make(chan error)
	go func() { _, err := b[0].Wait(ends); came <- err }()
	for n := 0; n == 0; n, _ = b[1].Waiting(ctx) {
		runtime.Gosched()
	}
	all.dies(table.Ref{Slot: 0})
	if err := s[1].Acquire(ctx, 1); err != nil {
		t.Error(err)
	}
	if _, err := b[1].Wait(ctx); !errors.Is(err, mperr.ErrBroken) {
		t.Errorf("a meeting with the dead: %v", err)
	}
	cancel()
	<-came
}
