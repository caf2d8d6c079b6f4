package store

import (
	"errors"
	"testing"

	"multiproc/internal/mperr"
)

// A client that takes and acknowledges nothing is stopped, and what it might
// give back counts until then.
func TestTakenIsBounded(t *testing.T) {
	s := newStore(t, Limits{Calls: 2})
	ss := s.Join(Client{})
	id, b := create(t, ss)
	for range 4 {
		call(t, ss, id, "add", Of("text"))
	}
	lent := []*reply{begin(ss, id, "take"), begin(ss, id, "take")}
	if n, want := s.Bytes(), int64(2*Of("text").Size()); n != want {
		t.Errorf("%d bytes are lent, want %d", n, want)
	}
	if n, err := begin(ss, id, "take").answered(); n != 1 || !errors.Is(err, mperr.ErrLimit) {
		t.Errorf("%d answers, %v", n, err)
	}
	if b.len() != 2 {
		t.Errorf("%d are left, want 2", b.len())
	}
	lent[0].Acknowledge()
	lent[1].Lost()
	if b.len() != 3 || s.Bytes() != 0 {
		t.Errorf("%d are left, %d bytes are lent", b.len(), s.Bytes())
	}
	r := begin(ss, id, "take")
	if n, err := r.answered(); n != 1 || err != nil || !r.taken {
		t.Errorf("%d answers, %v", n, err)
	}
	ss.End(nil)
	if b.len() != 3 || s.Bytes() != 0 {
		t.Errorf("after its end %d are left, %d bytes are lent", b.len(), s.Bytes())
	}
}

// A name is found or made, whoever takes it away meanwhile.
func TestOpenAmidForget(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20_000 {
			_ = s.Forget("x")
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		id, _, _, err := ss.Open("box", "x", Args{})
		if err != nil {
			t.Fatal(err)
		}
		if err := ss.Decref(id); err != nil {
			t.Fatal(err)
		}
	}
}
