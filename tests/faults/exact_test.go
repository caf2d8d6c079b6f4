package faults

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"multiproc/manager"
	"multiproc/mp"
)

// everySo is how many bytes go well in the mean, in each direction.
const everySo = 20_000

// both runs a test over TCP as it is, and over TLS.
func both(t *testing.T, f func(t *testing.T, s *scene)) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "tcp", true: "tls"}[secure], func(t *testing.T) {
			t.Parallel()
			f(t, stage(t, everySo, secure, 0, usual()...))
		})
	}
}

// open opens an object with a name, in all clients and directly.
func open[O any](s *scene, f func(m *manager.Manager) (O, error)) (behind []O, direct O) {
	s.t.Helper()
	direct = again(s.t, func() (O, error) { return f(s.direct) })
	for _, m := range s.clients {
		behind = append(behind, again(s.t, func() (O, error) { return f(m) }))
	}
	return behind, direct
}

// Each Add that succeeded is in the sum, once; one of unknown fate is or is not.
func TestSums(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		behind, direct := open(s, func(m *manager.Manager) (*mp.Dict[string, int], error) {
			return mp.NewDict[string, int](mp.In(m), mp.WithName("sums"))
		})
		made := s.work(func(m, _ int) {
			_, err := behind[m].Add(t.Context(), "sum", 1)
			s.told(err)
		})
		s.report(made)
		sum, err := direct.Get(t.Context(), "sum")
		if err != nil || sum < int(s.done.Load()) || sum > int(s.done.Load()+s.unknown.Load()) {
			t.Errorf("the sum is %d, %v", sum, err)
		}
	})
}

// drain takes what is left out of a queue.
func drain(t *testing.T, q *mp.Queue[int]) (left []int) {
	t.Helper()
	for {
		v, err := q.TryGet(t.Context())
		if errors.Is(err, mp.ErrEmpty) {
			return left
		}
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, v)
	}
}

func queue(m *manager.Manager) (*mp.Queue[int], error) {
	return mp.NewQueue[int](0, mp.In(m), mp.WithName("queue"))
}

// Each item that was put is got once, or is still there, or its getter was told
// that it cannot be known.
func TestItems(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		behind, direct := open(s, queue)
		y := newTally()
		made := s.work(func(m, n int) {
			if n%2 == 0 {
				ok, unknown := s.told(behind[m].Put(t.Context(), n))
				if ok || unknown {
					y.puts(ok, n)
				}
				return
			}
			v, err := behind[m].TryGet(t.Context())
			if errors.Is(err, mp.ErrEmpty) {
				return
			}
			if ok, unknown := s.told(err); ok {
				y.gets(v)
			} else if unknown {
				y.lost(1)
			}
		})
		s.report(made)
		closeAll(s)
		y.check(t, drain(t, direct))
	})
}

// Sessions that are lost, because nobody comes through for longer than they are
// kept, give no item to two, and lose none that nobody was told of.
func TestLostSessions(t *testing.T) {
	t.Parallel()
	const grace = 20 * time.Millisecond
	s := stage(t, everySo, false, grace)
	behind, direct := open(s, queue)
	sums, sum := open(s, func(m *manager.Manager) (*mp.Dict[string, int], error) {
		return mp.NewDict[string, int](mp.In(m), mp.WithName("sums"))
	})
	ctx, cancel := context.WithCancel(t.Context())
	var flicker sync.WaitGroup
	flicker.Go(func() { s.proxy.Flicker(ctx, 2*grace, 2*grace) })
	y := newTally()
	var added, perhaps atomic.Int64
	made := s.work(func(m, n int) {
		switch n % 3 {
		case 0:
			ok, unknown := s.told(behind[m].Put(t.Context(), n))
			if ok || unknown {
				y.puts(ok, n)
			}
		case 1:
			wait, enough := context.WithTimeout(t.Context(), time.Second)
			defer enough()
			v, err := behind[m].Get(wait)
			if ok, unknown := s.told(err); ok {
				y.gets(v)
			} else if unknown {
				y.lost(1)
			}
		default:
			_, err := sums[m].Add(t.Context(), "sum", 1)
			if ok, unknown := s.told(err); ok {
				added.Add(1)
			} else if unknown {
				perhaps.Add(1)
			}
		}
	})
	cancel()
	flicker.Wait()
	s.report(made)
	closeAll(s)
	n, err := sum.Get(t.Context(), "sum")
	if err != nil || n < int(added.Load()) || n > int(added.Load()+perhaps.Load()) {
		t.Errorf("the sum is %d, %v, of %d that were added and %d that may have been", n, err, added.Load(), perhaps.Load())
	}
	y.check(t, drain(t, direct))
}

// The same of getters that wait, of bounded queues and of batches.
func TestBatches(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		const size = 10
		behind, direct := open(s, func(m *manager.Manager) (*mp.Queue[int], error) {
			return mp.NewQueue[int](100, mp.In(m), mp.WithName("bounded"))
		})
		y := newTally()
		ctx, cancel := context.WithCancel(t.Context())
		var getters sync.WaitGroup
		for _, q := range behind {
			getters.Go(func() {
				for ctx.Err() == nil {
					vs, err := q.GetBatch(ctx, size)
					if ok, unknown := s.told(err); ok {
						y.gets(vs...)
					} else if unknown {
						y.lost(size)
					}
				}
			})
		}
		made := s.work(func(m, n int) {
			if n%size != 0 {
				return
			}
			var vs []int
			for i := range size {
				vs = append(vs, n+i)
			}
			put, err := behind[m].PutBatch(t.Context(), vs)
			y.puts(true, vs[:put]...)
			if _, unknown := s.told(err); unknown {
				y.puts(false, vs[put:]...)
			}
		})
		cancel()
		getters.Wait()
		s.report(made)
		closeAll(s)
		y.check(t, drain(t, direct))
	})
}

// closeAll ends the clients' sessions, so that what was lent to them comes back.
func closeAll(s *scene) {
	for _, m := range s.clients {
		_ = m.Close()
	}
}

// A lock excludes: what one read under it, and wrote again, nobody has changed
// meanwhile.
func TestLocks(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		locks, lock := open(s, func(m *manager.Manager) (*mp.Mutex, error) {
			return mp.NewMutex(mp.In(m), mp.WithName("lock"))
		})
		counts, count := open(s, func(m *manager.Manager) (*mp.Dict[string, int], error) {
			return mp.NewDict[string, int](mp.In(m), mp.WithName("count"))
		})
		if err := count.Set(t.Context(), "n", 0); err != nil {
			t.Fatal(err)
		}
		broken := 0
		made := s.work(func(m, n int) {
			if n%4 != 0 { // each is four calls
				return
			}
			err := locks[m].Lock(t.Context())
			var died *mp.OwnerDiedError
			if errors.As(err, &died) {
				err = locks[m].Repair(t.Context(), func() error { broken++; return nil })
				if err == nil {
					return
				}
			}
			if ok, _ := s.told(err); !ok {
				return
			}
			v, err := counts[m].Get(t.Context(), "n")
			if err == nil {
				err = counts[m].Set(t.Context(), "n", v+1)
			}
			s.told(err)
			locks[m].Unlock()
			if err != nil {
				s.done.Add(-1) // it does not count
			}
		})
		s.report(made)
		if err := lock.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		lock.Unlock()
		n, err := count.Get(t.Context(), "n")
		done := int(s.done.Load()) / 2 // each round is told twice
		if err != nil || s.unknown.Load() == 0 && broken == 0 && n != done || n > done+int(s.unknown.Load()) {
			t.Errorf("%d rounds, and the count is %d, %v; the lock was broken %d times", done, n, err, broken)
		}
	})
}

// What was added to a set is in it, and what was removed is not; only one of
// those who add the same adds it.
func TestMembership(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		behind, direct := open(s, func(m *manager.Manager) (*mp.Set[int], error) {
			return mp.NewSet[int](mp.In(m), mp.WithName("set"))
		})
		y := newTally()
		removed := map[int]bool{}
		made := s.work(func(m, n int) {
			if n%2 == 0 {
				added, err := behind[m].Insert(t.Context(), n/4) // each number twice
				if ok, unknown := s.told(err); ok && added {
					y.puts(true, n/4)
					y.gets(n / 4)
				} else if unknown {
					y.lost(1)
				}
				return
			}
			if n%8 != 1 {
				return
			}
			gone, err := behind[m].Remove(t.Context(), -n)
			if s.told(err); gone {
				t.Errorf("%d was in the set", -n)
			}
			_, err = behind[m].Insert(t.Context(), -n)
			ok, _ := s.told(err)
			if ok {
				gone, err = behind[m].Remove(t.Context(), -n)
				if sure, _ := s.told(err); sure && !gone {
					t.Errorf("%d was not in the set", -n)
				} else if sure {
					y.mu.Lock()
					removed[-n] = true
					y.mu.Unlock()
				}
			}
		})
		s.report(made)
		all, err := direct.Copy(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for n := range removed {
			if _, ok := all[n]; ok {
				t.Errorf("%d was removed and is in the set", n)
			}
		}
		missing := 0
		for n, times := range y.got {
			if _, ok := all[n]; !ok || times != 1 {
				t.Errorf("%d was added by %d; it is in the set: %v", n, times, ok)
			}
		}
		for n := range all {
			if n >= 0 && y.got[n] == 0 {
				missing++
			}
		}
		if missing > y.swept {
			t.Errorf("%d are in the set that nobody added, and of %d it cannot be known", missing, y.swept)
		}
	})
}

// Each element that was appended is popped once, or is still there, or its
// taker was told that it cannot be known.
func TestPops(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		behind, direct := open(s, func(m *manager.Manager) (*mp.List[int], error) {
			return mp.NewList[int](mp.In(m), mp.WithName("list"))
		})
		y := newTally()
		made := s.work(func(m, n int) {
			if n%2 == 0 {
				ok, unknown := s.told(behind[m].Append(t.Context(), n))
				if ok || unknown {
					y.puts(ok, n)
				}
				return
			}
			v, err := behind[m].Pop(t.Context(), -1)
			if errors.Is(err, mp.ErrIndex) {
				return
			}
			if ok, unknown := s.told(err); ok {
				y.gets(v)
			} else if unknown {
				y.lost(1)
			}
		})
		s.report(made)
		left, err := direct.Copy(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		y.check(t, left)
	})
}
