package budget

import (
	"errors"
	"math"
	"sync"
	"testing"

	"multiproc/internal/mperr"
)

const mib = 1 << 20

func take(t *testing.T, s *Share, n int) {
	t.Helper()
	if err := s.Take(n); err != nil {
		t.Fatal(err)
	}
}

// fill takes as much as there is to be had, and returns how much that was.
func fill(s *Share) (n int) {
	for step := 64 * mib; step > 0; {
		if s.Take(step) != nil {
			step /= 2
			continue
		}
		n += step
	}
	return n
}

func TestCharges(t *testing.T) {
	a := New(128 * mib)
	defer a.Close()
	s := a.Working()
	take(t, s, 100*mib)
	err := s.Take(20 * mib)
	if !errors.Is(err, mperr.ErrLimit) || a.Used() != 100*mib || s.Held() != 100*mib {
		t.Errorf("%v, %d are used", err, a.Used())
	}
	s.Give(90 * mib)
	take(t, s, 20*mib)
	s.Force(200 * mib)
	if a.Used() != 230*mib || a.Kept() != 0 {
		t.Errorf("%d are used, %d kept", a.Used(), a.Kept())
	}
	s.GiveAll()
	if a.Used() != 0 {
		t.Errorf("%d are used", a.Used())
	}
}

// What is kept leaves room for work, and who takes all that he can get leaves
// something to others, however many he is.
func TestGreedyClients(t *testing.T) {
	for name, make := range map[string]func(*Account) *Share{"keep": (*Account).Keeping, "work": (*Account).Working} {
		t.Run(name, func(t *testing.T) {
			a := New(200 * mib)
			defer a.Close()
			first := fill(make(a))
			if first < 125*mib || first > 175*mib {
				t.Errorf("one takes %d MiB of 200", first/mib)
			}
			for range 100 {
				fill(make(a))
			}
			take(t, make(a), 32<<10)
			if name == "keep" {
				take(t, a.Working(), 20*mib)
			}
		})
	}
}

func TestWithoutLimit(t *testing.T) {
	a := New(0)
	take(t, a.Keeping(), math.MaxInt32)
	take(t, nil, math.MaxInt)
	var l *Loan
	if err := l.Take(math.MaxInt); err != nil {
		t.Error(err)
	}
	l.End()
}

func TestLoan(t *testing.T) {
	a := New(100 * mib)
	defer a.Close()
	var l Loan
	l.Begin(a.Working())
	if err := l.Take(10 * mib); err != nil || a.Used() != 10*mib {
		t.Error(err, a.Used())
	}
	meter, n := l.Meter(), 0
	for n < 300*mib && meter(1000) == nil {
		n += 1000
	}
	if n < 70*mib || n > 80*mib || a.Used() < int64(10*mib+n-small) {
		t.Errorf("%d KiB in small pieces, %d are used", n>>10, a.Used()>>10)
	}
	l.End()
	if a.Used() != 0 {
		t.Errorf("%d are used", a.Used())
	}
}

// Charges and what is given back add up, whoever does it at once.
func TestConcurrently(t *testing.T) {
	a := New(mib)
	defer a.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s := a.Keeping()
			for range 1000 {
				if s.Take(200<<10) == nil {
					if a.Used() > mib {
						t.Error("more than the limit")
					}
					s.Give(200 << 10)
				}
			}
		})
	}
	wg.Wait()
	if a.Used() != 0 || a.Kept() != 0 {
		t.Errorf("%d are used, %d kept", a.Used(), a.Kept())
	}
}
