//go:build interop

package interop

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/manager"
	"multiproc/mp"
)

// adding is the work of a process that adds one to a number many times.
type adding struct {
	Address string
	Key     []byte
	How     string // Add, Update, or Value.Add
	Name    string
	Times   int
}

// Adder adds from a Go process, when the gate opens.
var Adder = mp.Proc(func(ctx context.Context, a adding) error {
	m, err := manager.Dial(ctx, a.Address, manager.Options{Authkey: a.Key})
	if err != nil {
		return err
	}
	defer m.Close()
	counts, err := mp.NewDict[string, int](mp.In(m), mp.WithName("counts"))
	if err != nil {
		return err
	}
	value, err := mp.NewValue(0, mp.In(m), mp.WithName("value"))
	if err != nil {
		return err
	}
	if err := a.pass(ctx, m); err != nil {
		return err
	}
	for range a.Times {
		switch a.How {
		case "Add":
			_, err = counts.Add(ctx, a.Name, 1)
		case "Update":
			err = counts.Update(ctx, a.Name, func(n *int) error { *n++; return nil })
		case "Value.Add":
			_, err = value.Add(ctx, 1)
		case "Value.Update":
			err = value.Update(ctx, func(n *int) error { *n++; return nil })
		}
		if err != nil {
			return err
		}
	}
	return nil
}, mp.Named("interop.adder"))

// pass says that this process is there, and waits for all others.
func (a *adding) pass(ctx context.Context, m *manager.Manager) error {
	shared, err := mp.NewDict[string, *manager.Object](mp.In(m), mp.WithName("tools"))
	if err != nil {
		return err
	}
	ready, err := shared.Get(ctx, "ready")
	if err != nil {
		return err
	}
	if _, err := manager.Call[mp.None](ctx, ready, "release"); err != nil {
		return err
	}
	gate, err := shared.Get(ctx, "gate")
	if err != nil {
		return err
	}
	_, err = manager.Call[bool](ctx, gate, "wait")
	return err
}

// Whoever adds, by whatever means, from whichever language: all of it arrives.
func TestNothingIsLost(t *testing.T) {
	all := pythons(t)
	for _, kind := range []string{"unix", "tcp"} {
		for _, c := range []struct {
			name   string
			how    string
			gos    int
			python int
			times  int
		}{
			{"Go", "Add", 10, 0, 1000},
			{"CPython", "", 0, 10, 1000},
			{"mixed", "Add", 5, 5, 1000},
			{"Update", "Update", 4, 0, 250},
			{"Update and CPython", "Update", 4, 2, 250},
			{"Value.Add", "Value.Add", 10, 0, 1000},
			{"Value.Update", "Value.Update", 4, 0, 250},
		} {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				s := startServer(t, kind)
				m := s.dial(t)
				counts := named[int](t, m, "counts")
				must(t, counts.Set(t.Context(), "k", 0))
				value, err := mp.NewValue(0, mp.In(m), mp.WithName("value"))
				closing(t, value, err)
				shared := tools(t, m, map[string]string{"gate": "Event"})
				tools(t, m, map[string]string{"ready": "Semaphore"}, 0)

				var scripts []*pyconntest.Script
				for i := range c.python {
					scripts = append(scripts, all[i%len(all)].start(t, s, "adder", "k", fmt.Sprint(c.times)))
				}
				var workers sync.WaitGroup
				for range c.gos {
					workers.Go(func() {
						if _, err := Adder.Run(t.Context(), adding{s.address, s.key, c.how, "k", c.times}); err != nil {
							t.Error(err)
						}
					})
				}
				ready, err := shared.Get(t.Context(), "ready")
				closing(t, ready, err)
				for range c.gos {
					_, err := manager.Call[bool](t.Context(), ready, "acquire")
					must(t, err)
				}
				for _, p := range scripts {
					p.Want("ready")
				}
				gate, err := shared.Get(t.Context(), "gate")
				closing(t, gate, err)
				_, err = manager.Call[mp.None](t.Context(), gate, "set")
				must(t, err)
				for _, p := range scripts {
					p.Want("done")
				}
				workers.Wait()

				n, err := counts.Get(t.Context(), "k")
				must(t, err)
				v, err := value.Load(t.Context())
				must(t, err)
				if want := (c.gos + c.python) * c.times; n+v != want {
					t.Errorf("%d of %d additions arrived", n+v, want)
				}
			})
		}
	}
}
