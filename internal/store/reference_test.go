package store

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

func TestReferences(t *testing.T) {
	s := newStore(t, Limits{})
	a, b := s.Join(Client{}), s.Join(Client{})
	id, x := create(t, a)
	for _, err := range []error{errOf(b.Incref(id)), errOf(b.Incref(id)), a.Decref(id), b.Decref(id)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if s.NumberOfObjects() != 1 || b.Refs(id) != 1 || b.Len() != 1 || a.Len() != 0 {
		t.Error("the count is wrong")
	}
	var e *pyvalue.Exception
	if err := a.Decref(id); !errors.As(err, &e) || e.Class.Name != "AssertionError" {
		t.Errorf("below 0: %v", err)
	}
	if x.isDisposed() {
		t.Fatal("disposed of too early")
	}
	b.End(nil)
	b.End(nil)
	if !x.isDisposed() || s.NumberOfObjects() != 0 || s.Size() != 0 {
		t.Error("not disposed of")
	}
	for _, err := range []error{errOf(a.Incref(id)), a.Decref(id)} {
		if !errors.Is(err, mperr.ErrNoKey) {
			t.Error(err)
		}
	}
	if _, _, err := b.Create("box", Args{}); !errors.Is(err, mperr.ErrClosed) || s.Size() != 0 {
		t.Errorf("a session that has ended creates: %v", err)
	}
}

func errOf(_ *Type, err error) error { return err }

func TestIdsAreNotReused(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	seen := map[uint64]bool{}
	for range 1000 {
		id, _ := create(t, ss)
		if back, ok := ParseIdent(Ident(id)); seen[id] || id == 0 || !ok || back != id {
			t.Fatal(id)
		}
		seen[id] = true
		if err := ss.Decref(id); err != nil {
			t.Fatal(err)
		}
	}
	for _, ident := range []string{"", "0x1", "01", "-1", "A", "g", strings.Repeat("f", 17)} {
		if _, ok := ParseIdent(ident); ok {
			t.Errorf("%q is an ident", ident)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	s := newStore(t, Limits{Objects: 1})
	s.Add(&Type{ID: "bad", New: func(*Store, Args) (Object, error) { return nil, errors.New("no") }})
	ss := s.Join(Client{})
	for typeid, want := range map[string]error{"nothing": mperr.ErrNoKey, "handed": mperr.ErrType, "bad": nil} {
		if _, _, err := ss.Create(typeid, Args{}); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", typeid, err)
		}
	}
	create(t, ss)
	if _, _, err := ss.Create("box", Args{}); !errors.Is(err, mperr.ErrLimit) {
		t.Error(err)
	}
	if _, _, _, err := ss.Open("nothing", "", Args{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	s := newStore(t, Limits{})
	s.Add(&Type{ID: "other", New: newBox})
	a, b := s.Join(Client{}), s.Join(Client{})
	id, typ, created, err := a.Open("box", "orders", Args{})
	if err != nil || !created || typ.ID != "box" {
		t.Fatal(typ, created, err)
	}
	if again, _, created, err := b.Open("box", "orders", Args{}); again != id || created || err != nil {
		t.Fatal(again, created, err)
	}
	if _, _, _, err := b.Open("other", "orders", Args{}); !errors.Is(err, mperr.ErrType) {
		t.Error(err)
	}
	if got, _, err := b.Create("orders", Args{}); got != id || err != nil || b.Refs(id) != 2 {
		t.Error(got, err, b.Refs(id))
	}
	if names := s.Names(); len(names) != 1 || names[0].Name != "orders" || names[0].ID != id {
		t.Error(names)
	}
	o, _ := s.Object(id)
	a.End(nil)
	b.End(nil)
	if o.(*box).isDisposed() || s.NumberOfObjects() != 1 {
		t.Fatal("a named object went with its clients")
	}
	if err := s.Forget("orders"); err != nil || !o.(*box).isDisposed() {
		t.Error(err)
	}
	if err := s.Forget("orders"); !errors.Is(err, mperr.ErrNoKey) {
		t.Error(err)
	}
	one, two := s.Join(Client{}), s.Join(Client{})
	x, _, _, _ := one.Open("box", "", Args{})
	if y, _, _, _ := two.Open("box", "", Args{}); x == y {
		t.Error("objects without a name are one")
	}
}

// Names are bounded, for nothing charges them.
func TestLongNames(t *testing.T) {
	s := newStore(t, Limits{})
	long := strings.Repeat("n", maxName+1)
	ss := s.Join(Client{Name: long})
	if n := len(ss.Client().Name); n > maxName {
		t.Errorf("a client's name of %d bytes is kept", n)
	}
	if _, _, _, err := ss.Open("box", long, Args{}); !errors.Is(err, mperr.ErrValue) {
		t.Errorf("a name of %d bytes: %v", len(long), err)
	}
	if _, _, _, err := ss.Open("box", long[1:], Args{}); err != nil {
		t.Errorf("a name of %d bytes: %v", maxName, err)
	}
}

// A constructor that always returns the same object makes a singleton.
func TestSingleton(t *testing.T) {
	s := newStore(t, Limits{Objects: 1})
	only := &box{}
	s.Add(&Type{ID: "only", New: func(*Store, Args) (Object, error) { return only, nil }})
	a, b := s.Join(Client{}), s.Join(Client{})
	x, _, errA := a.Create("only", Args{})
	y, _, errB := b.Create("only", Args{})
	if x != y || errA != nil || errB != nil {
		t.Fatal(x, y, errA, errB)
	}
	a.End(nil)
	if only.isDisposed() {
		t.Error("disposed of with the first")
	}
	b.End(nil)
	if !only.isDisposed() {
		t.Error("not disposed of")
	}
}

func TestTickets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{})
		a, b := s.Join(Client{}), s.Join(Client{})
		id, x := create(t, a)
		n, err := a.Ticket(id)
		if err != nil || a.Decref(id) != nil || x.isDisposed() {
			t.Fatal("a ticket does not keep its object alive", err)
		}
		if got, typ, err := b.Redeem(n); got != id || typ.ID != "box" || err != nil || b.Refs(id) != 1 {
			t.Fatal(got, err)
		}
		if _, _, err := b.Redeem(n); !errors.Is(err, mperr.ErrNoHandle) {
			t.Error("redeemed twice", err)
		}

		early, _ := b.Ticket(id)
		late, _ := b.Ticket(id)
		b.End(nil)
		<-time.After(afterlife - time.Second)
		if _, _, err := a.Redeem(early); err != nil || a.Decref(id) != nil {
			t.Error("a ticket ends with its session", err)
		}
		if x.isDisposed() {
			t.Error("the other ticket does not count")
		}
		<-time.After(2 * time.Second)
		if _, _, err := a.Redeem(late); err == nil || !x.isDisposed() {
			t.Error("a ticket outlives its last minute")
		}
		if _, err := a.Ticket(id); !errors.Is(err, mperr.ErrNoKey) {
			t.Error(err)
		}
	})
}

func TestDebugInfo(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	x, _ := create(t, ss)
	y, _ := create(t, ss)
	_, _ = ss.Incref(y)
	want := "  " + Ident(x) + ":       refcount=1\n    a box\n  " + Ident(y) + ":       refcount=2\n    a box"
	if got := s.DebugInfo(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestCharge(t *testing.T) {
	s := newStore(t, Limits{Bytes: 144})
	if err := s.own.Take(90); err != nil {
		t.Fatal(err)
	}
	if err := s.own.Take(20); !errors.Is(err, mperr.ErrLimit) || s.Bytes() != 90 {
		t.Error(err, s.Bytes())
	}
	s.own.Force(20)
	if err := s.own.Take(-60); err != nil || s.Bytes() != 50 {
		t.Error(err, s.Bytes())
	}
}

func TestClose(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	id, x := create(t, ss)
	_, _, _, _ = ss.Open("box", "named", Args{})
	n, _ := ss.Ticket(id)
	r := begin(ss, id, "wait")
	s.Close()
	if answers, _ := r.answered(); answers != 0 || !x.isDisposed() || s.Size() != 0 {
		t.Error("not everything has ended")
	}
	if _, _, err := s.Join(Client{}).Redeem(n); err == nil {
		t.Error("redeemed")
	}
	s.Close()
}

// Maps give back the memory of what they once held.
func TestMapsShrink(t *testing.T) {
	m, most := map[int]int{}, 0
	for i := range 10_000 {
		m[i] = i
	}
	moved := 0
	for i := range 9990 {
		before := most
		if m = drop(m, i, &most); most < before {
			moved++
		}
	}
	if len(m) != 10 || m[9995] != 9995 || moved != 2 {
		t.Errorf("%d are left, moved %d times", len(m), moved)
	}
}
