package ledger

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/table"
)

// readersAndWriters are parts of so many processes in one lock.
func readersAndWriters(t *testing.T, slots ...uint32) (all *people, ls []*RWMutex) {
	t.Helper()
	m := memory(t, RWMutexSize)
	all = &people{dead: map[table.Ref]bool{}}
	for _, slot := range slots {
		l := &RWMutex{}
		l.Attach(m, one{all, table.Ref{Slot: slot}})
		ls = append(ls, l)
	}
	return all, ls
}

func want(t *testing.T, what string, got, want bool) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// The dead do not read, whatever their words say; who has their slot then begins anew.
func TestReadersOfTheDead(t *testing.T) {
	all, ls := readersAndWriters(t, 0, 7, slots-1)
	for _, l := range ls[1:] {
		want(t, "read", l.Read(), true)
		want(t, "read again", l.Read(), true)
	}
	ok, err := ls[0].TryLock()
	want(t, "a writer beside readers", ok || err != nil, false)
	locked := make(chan error)
	go func() { locked <- ls[0].Lock(t.Context(), false) }()
	all.dies(table.Ref{Slot: 7})
	want(t, "one of two readers leaves", ls[2].RUnlock(), true)
	want(t, "the last reader leaves", ls[2].RUnlock(), true)
	if err := <-locked; err != nil {
		t.Fatal(err)
	}
	next := &RWMutex{} // in the slot of the dead
	next.Attach(unsafe.Pointer(ls[0].m), one{all, table.Ref{Slot: 7, Gen: 1}})
	want(t, "read beside a writer", next.Read(), false)
	want(t, "what the dead has read is given back", next.RUnlock(), false)
	want(t, "unlock", ls[0].Unlock(), true)
	want(t, "read", next.Read() && next.RUnlock(), true)
	want(t, "a second time", next.RUnlock(), false)
	want(t, "it is idle", next.Idle() && ls[0].Idle(), true)
}

// After the death of a writer nobody gets the lock until Heal, and the readers that it
// had barred are told; one that had not begun has left nothing.
func TestWriterThatDied(t *testing.T) {
	all, ls := readersAndWriters(t, 0, 1, 2)
	ctx := t.Context()
	want(t, "read", ls[0].Read(), true)
	ended, cancel := context.WithCancel(ctx)
	waits := make(chan error)
	go func() { waits <- ls[1].Lock(ended, false) }()
	for atomic.LoadUint64(&ls[0].m.writer) == 0 {
		runtime.Gosched()
	}
	want(t, "a reader behind a writer", ls[2].Read(), false)
	cancel()
	if err := <-waits; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	want(t, "a reader after a writer that gave up", ls[2].Read() && ls[2].RUnlock() && ls[0].RUnlock(), true)

	if err := ls[1].Lock(ctx, false); err != nil {
		t.Fatal(err)
	}
	if ls[1].Owner() == 0 {
		t.Error("nobody has it")
	}
	reading := make(chan error)
	go func() { reading <- ls[2].RLock(ctx) }()
	all.dies(table.Ref{Slot: 1})
	ls[1].main.Unlock() // as the kernel does
	var died *mperr.OwnerDiedError
	if ok, err := ls[0].TryRLock(); ok || !errors.As(err, &died) || died.PID == 0 {
		t.Errorf("%v, %v", ok, err)
	}
	if err := <-reading; !errors.As(err, &died) {
		t.Error(err)
	}
	if ok, err := ls[0].TryLock(); ok || !errors.As(err, &died) {
		t.Errorf("%v, %v", ok, err)
	}
	want(t, "heal by one who has not got it", ls[0].Heal(), false)
	for _, heal := range []bool{false, true} {
		if err := ls[0].Lock(ctx, true); err != nil {
			t.Fatal(err)
		}
		want(t, "heal", !heal || ls[0].Heal(), true)
		want(t, "unlock", ls[0].Unlock(), true)
		want(t, "it is sound", ls[2].sound() == nil, heal)
	}
	want(t, "read", ls[2].Read() && ls[2].RUnlock(), true)
}

// Neither side starves, though the others never leave a gap: writers that come one after
// the other let those readers in that wait, and readers that overlap let a writer in.
func TestNobodyStarves(t *testing.T) {
	_, ls := readersAndWriters(t, 0, 1, 2, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var stop atomic.Bool
	var all sync.WaitGroup
	loop := func(f func() error) {
		all.Go(func() {
			for !stop.Load() {
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	write := func(l *RWMutex) func() error {
		return func() error {
			err := l.Lock(ctx, false)
			if err == nil {
				l.Unlock()
			}
			return err
		}
	}
	read := func(l *RWMutex) func() error {
		return func() error {
			err := l.RLock(ctx)
			if err == nil {
				runtime.Gosched()
				l.RUnlock()
			}
			return err
		}
	}
	loop(write(ls[0]))
	loop(write(ls[1]))
	loop(read(ls[2]))
	loop(read(ls[3]))
	for i := range 20 {
		if err := errors.Join(write(ls[i%4])(), read(ls[i%4])()); err != nil {
			t.Error(err)
			break
		}
	}
	stop.Store(true)
	all.Wait()
}

// Whoever sleeps is woken, by nothing but the one who lets him go.
func TestRWMutexWakes(t *testing.T) {
	robust.SetRecheck(time.Hour, time.Hour)
	defer robust.SetRecheck(100*time.Millisecond, 6400*time.Millisecond)
	before := courtesy
	courtesy = time.Hour
	defer func() { courtesy = before }()
	_, ls := readersAndWriters(t, 0, 1, 2, 3)
	ctx, got := t.Context(), make(chan error)
	asleep := func(e *robust.Event) {
		t.Helper()
		for !e.Waiting() {
			runtime.Gosched()
		}
		<-time.After(5 * time.Millisecond) // its first sleep is short, and needs nobody
	}
	write := func(l *RWMutex) { got <- l.Lock(ctx, false) }
	read := func(l *RWMutex) { got <- l.RLock(ctx) }

	want(t, "read", ls[0].Read(), true)
	go write(ls[1])
	asleep(&ls[1].drained)
	want(t, "the reader leaves", ls[0].RUnlock(), true)
	must(t, <-got)
	go read(ls[0])
	asleep(&ls[0].barred)
	want(t, "the writer leaves", ls[1].Unlock(), true)
	must(t, <-got)

	// The next writer lets in whom the last one has barred, before it bars anybody.
	want(t, "the reader leaves", ls[0].RUnlock(), true)
	must(t, ls[1].Lock(ctx, false))
	go read(ls[0])
	asleep(&ls[0].barred)
	atomic.AddUint64(&ls[0].mine.waits, 1) // another that does not get a processor
	want(t, "the writer leaves", ls[1].Unlock(), true)
	must(t, <-got)
	ls[3].barred.Enter()
	go write(ls[3])
	asleep(&ls[3].drained)
	want(t, "a reader beside a courteous writer", ls[2].Read() && ls[2].RUnlock() && ls[0].RUnlock(), true)
	ls[0].waited()
	must(t, <-got)
	want(t, "the writer leaves", ls[3].Unlock(), true)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
