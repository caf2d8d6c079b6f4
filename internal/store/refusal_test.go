package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/internal/mperr"
)

// bounded is a box with a capacity.
type bounded struct{ box }

func (*bounded) Cap() int { return 7 }

func TestLookups(t *testing.T) {
	s := newStore(t, Limits{})
	s.Add(&Type{ID: "bounded", New: func(*Store, Args) (Object, error) { return &bounded{}, nil }})
	ss := s.Join(Client{Name: "me", PID: 5})
	id, _ := create(t, ss)
	if typ, ok := s.Lookup(id); !ok || typ.ID != "box" || s.Cap(id) != 0 {
		t.Error(typ, ok, s.Cap(id))
	}
	if _, ok := s.Lookup(1); ok || s.Cap(1) != 0 {
		t.Error("an object that is not there")
	}
	if id, _, _ := ss.Create("bounded", Args{}); s.Cap(id) != 7 {
		t.Error(s.Cap(id))
	}
	f := func(context.Context, Args) (Item, error) { return Of("f"), nil }
	s.AddFunc("m.f", f)
	if s.Func("m.f") == nil || s.Func("m.g") != nil {
		t.Error("functions")
	}
	r := begin(ss, id, "add")
	if r.PID() != 5 || r.ID() != id || r.Store() != s || r.Gone() || r.Owner != ss.Owner() || ss.Client().Name != "me" {
		t.Error("a call does not know where it is")
	}
}

// A new object that cannot be handed out is disposed of.
func TestReturnNewRefuses(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	id, b := create(t, s.Join(Client{}))
	for name, c := range map[string]struct {
		typ string
		end func(r *reply)
		n   int
	}{
		"unknown type":  {"nothing", func(*reply) {}, 1},
		"answered":      {"box", func(r *reply) { r.Call.Return(Item{}) }, 1},
		"session ended": {"box", func(*reply) { ss.End(nil) }, 0},
	} {
		ss = s.Join(Client{})
		r := begin(ss, id, "wait")
		w := b.pop()
		c.end(r)
		born := &box{}
		w.ReturnNew(c.typ, born)
		if n, _ := r.answered(); n != c.n || !born.isDisposed() {
			t.Errorf("%s: %d answers, disposed %t", name, n, born.isDisposed())
		}
	}
	if s.Size() != 1 {
		t.Errorf("%d objects", s.Size())
	}
}

// Go does not start what nobody waits for.
func TestGoRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{Calls: 1})
		id, b := create(t, s.Join(Client{}))
		ended, full := s.Join(Client{}), s.Join(Client{})
		ended.End(nil)
		begin(full, id, "wait")
		for ss, want := range map[*Session]error{ended: nil, full: mperr.ErrLimit} {
			b.funcs <- func(context.Context) { t.Error("started") }
			_, err := begin(ss, id, "run").answered()
			if !errors.Is(err, want) {
				t.Error(err)
			}
		}
		synctest.Wait()
	})
}

// A call that was withdrawn before it waits does not wait.
func TestCancelBeforePark(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	id, b := create(t, ss)
	r := &reply{}
	r.Method, r.Owner = "wait", ss.Owner()
	r.Cancel()
	ss.Begin(&r.Call, id, replier{r})
	if n, err := r.answered(); n != 1 || !errors.Is(err, context.Canceled) || len(b.waiting) != 0 {
		t.Errorf("%d answers, %v", n, err)
	}
}

func TestTicketsAreBounded(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	id, _ := create(t, ss)
	for range maxTickets {
		if _, err := ss.Ticket(id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ss.Ticket(id); !errors.Is(err, mperr.ErrLimit) {
		t.Error(err)
	}
	other := s.Join(Client{})
	if _, err := other.Ticket(id); err != nil {
		t.Error("another client suffers", err)
	}
	other.End(nil)
	if _, err := other.Ticket(id); !errors.Is(err, mperr.ErrClosed) {
		t.Error(err)
	}
}

// Clients that come, make tickets and go cannot make any number of them.
func TestTicketsOfTheGoneAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{})
		s.ticketsAtMost = 3
		ss := s.Join(Client{})
		id, _ := create(t, ss)
		for range 3 {
			passing := s.Join(Client{})
			if _, err := passing.Ticket(id); err != nil {
				t.Fatal(err)
			}
			passing.End(nil)
		}
		if _, err := ss.Ticket(id); !errors.Is(err, mperr.ErrLimit) {
			t.Errorf("a fourth ticket: %v", err)
		}
		<-time.After(2 * afterlife)
		if _, err := ss.Ticket(id); err != nil {
			t.Errorf("when the others are forgotten: %v", err)
		}
	})
}
