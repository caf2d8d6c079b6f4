//go:build linux

package local

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/internal/table"
	"multiproc/mp/driver"
)

func testPlace() *Place {
	t := family()
	return &Place{Family: func() (shm.ID, error) { return t.Family(), nil }, Members: func() Members { return t }}
}

// family is one that has this process alone.
var family = sync.OnceValue(func() *table.Table {
	t, err := table.Create("test")
	if err != nil {
		panic(err)
	}
	return t
})

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// What memory does not offer it says early, and how to get it.
func TestUnsupportedKinds(t *testing.T) {
	p := testPlace()
	_, err := p.Open(t.Context(), driver.Spec{Kind: driver.KindValue}) // package mp has its own
	wantErr(t, "a Value", err, errors.ErrUnsupported)
	if err != nil && !strings.Contains(err.Error(), "mp.In") {
		t.Errorf("%v does not say what to do", err)
	}
	_, err = p.Extract(t.Context(), []byte{1})
	wantErr(t, "Extract", err, errors.ErrUnsupported)
	seg, err := Create(shm.NewID(), shm.KindCounter, [16]byte{}, shm.PageSize(), [4]uint64{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Attach(seg)
	wantErr(t, "Attach to a counter", err, mperr.ErrType)
}

// The mutex keeps the contract of complete.Mutex.
func TestMutex(t *testing.T) {
	p, ctx := testPlace(), t.Context()
	o, err := p.Open(ctx, driver.Spec{Kind: driver.KindMutex})
	if err != nil {
		t.Fatal(err)
	}
	m := o.(complete.Mutex)
	wantErr(t, "Unlock of what nobody holds", m.Unlock(ctx), mperr.ErrNotHeld)
	wantErr(t, "Heal without the lock", m.Heal(ctx), mperr.ErrNotHeld)
	if err := errors.Join(m.Lock(ctx), m.Heal(ctx)); err != nil {
		t.Fatal(err)
	}
	if ok, err := m.TryLock(ctx); ok || err != nil {
		t.Errorf("TryLock of what is held: %v, %v", ok, err)
	}
	if pid, err := m.Owner(ctx); pid == 0 || err != nil {
		t.Errorf("the owner is %d, %v", pid, err)
	}
	_, _, err = m.Reference(ctx)
	wantErr(t, "Reference", err, errors.ErrUnsupported)
	_, err = m.Embed(testPlace())
	wantErr(t, "Embed", err, mperr.ErrForeign)
	if m.Place() != driver.Place(p) {
		t.Error("it is in another place")
	}
	if err := m.Close(); err != nil { // the lock stays held, and can be given back
		t.Fatal(err)
	}
	wantErr(t, "Lock after Close", m.Lock(ctx), mperr.ErrClosed)
	if err := m.Unlock(ctx); err != nil {
		t.Error(err)
	}
	wantErr(t, "a second Unlock", m.Unlock(ctx), mperr.ErrClosed)
	wantErr(t, "a second Close", m.Close(), mperr.ErrClosed)
}

// What is held through a closed handle keeps its memory, as long as somebody can give
// it back.
func TestSemaphoreThatIsForgotten(t *testing.T) {
	mapped := func() int {
		b, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(b), "mp:semaphore")
	}
	runtime.GC()
	before := mapped()
	func() {
		o, err := testPlace().Open(t.Context(), driver.Spec{Kind: driver.KindSemaphore, Size: 2})
		if err != nil {
			t.Fatal(err)
		}
		s := o.(driver.Semaphore)
		if err := errors.Join(s.Acquire(t.Context(), 1), s.Acquire(t.Context(), 1), s.Close(), s.Release(t.Context(), 1)); err != nil {
			t.Fatal(err)
		}
		if mapped() <= before {
			t.Error("it is unmapped with a permit that is held")
		}
		runtime.KeepAlive(o)
	}()
	for end := time.Now().Add(time.Minute); mapped() > before; runtime.GC() {
		if time.Now().After(end) {
			t.Fatal("it stays mapped for ever")
		}
	}
}
