//go:build linux

package mp_test

import (
	"context"
	"fmt"
	"testing"

	"multiproc/manager"
	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
)

// shop is what the workers of the program share.
type shop struct {
	Orders *mp.Queue[int]
	Done   *mp.Queue[string]
	Till   *mp.Value[int]
	Books  *mp.Mutex
	Sold   *mp.Value[[2]int] // how many orders, and the largest
}

// Sell works on orders until there are no more.
var Sell = mp.Proc(sell)

func sell(ctx context.Context, s shop) error {
	for order, err := range s.Orders.Drain(ctx) {
		if err != nil {
			return err
		}
		if err := s.Till.Update(ctx, func(sum *int) error { *sum += order; return nil }); err != nil {
			return err
		}
		if err := s.Books.Lock(ctx); err != nil {
			return err
		}
		sold, err := s.Sold.Load(ctx)
		if err == nil {
			err = s.Sold.Store(ctx, [2]int{sold[0] + 1, max(sold[1], order)})
		}
		s.Books.Unlock()
		if err != nil {
			return err
		}
		if err := s.Done.Put(ctx, fmt.Sprint("sold ", order)); err != nil {
			return err
		}
		if err := s.Orders.TaskDone(ctx); err != nil {
			return err
		}
	}
	return nil
}

// runShop is the program: what it makes, it makes with the options that it is
// given, and nothing else says where that is.
func runShop(ctx context.Context, hire func(shop) func() error, in ...mp.Option) (report string, err error) {
	var s shop
	if s.Orders, err = mp.NewQueue[int](4, in...); err != nil {
		return "", err
	}
	defer s.Orders.Close()
	if s.Done, err = mp.NewQueue[string](100, in...); err != nil {
		return "", err
	}
	defer s.Done.Close()
	if s.Till, err = mp.NewValue(0, in...); err != nil {
		return "", err
	}
	defer s.Till.Close()
	if s.Books, err = mp.NewMutex(in...); err != nil {
		return "", err
	}
	defer s.Books.Close()
	if s.Sold, err = mp.NewValue([2]int{}, in...); err != nil {
		return "", err
	}
	defer s.Sold.Close()

	g, ctx := mp.NewGroup(ctx)
	for range 3 {
		g.Go(hire(s))
	}
	for order := range 20 {
		if err := s.Orders.Put(ctx, order); err != nil {
			return "", err
		}
	}
	if err := s.Orders.Join(ctx); err != nil {
		return "", err
	}
	if err := s.Orders.CloseWrite(ctx); err != nil {
		return "", err
	}
	if err := g.Wait(); err != nil {
		return "", err
	}
	// g's context has ended with it; the objects have not.
	ctx = context.WithoutCancel(ctx)
	till, err := s.Till.Load(ctx)
	if err != nil {
		return "", err
	}
	sold, err := s.Sold.Load(ctx)
	if err != nil {
		return "", err
	}
	told, err := s.Done.Len(ctx)
	if err != nil {
		return "", err
	}
	open, err := s.Orders.Len(ctx)
	if err != nil {
		return "", err
	}
	free, err := s.Books.TryLock(ctx)
	if free {
		s.Books.Unlock()
	}
	return fmt.Sprintf("%d in the till, %v in the books, %d told, %d open, lock free: %v", till, sold, told, open, free), err
}

// A program that moves to another place changes the options of its New calls
// and nothing else.
func TestOneProgramInEveryPlace(t *testing.T) {
	ctx := t.Context()
	processes := func(s shop) func() error { return Sell.Call(ctx, s) }
	goroutines := func(s shop) func() error { return func() error { return sell(ctx, s) } }
	const want = "190 in the till, [20 19] in the books, 20 told, 0 open, lock free: true"
	for name, place := range map[string]func(t *testing.T) (func(shop) func() error, []mp.Option){
		"memory": func(*testing.T) (func(shop) func() error, []mp.Option) { return processes, nil },
		"memory, goroutines": func(*testing.T) (func(shop) func() error, []mp.Option) {
			return goroutines, nil
		},
		"twin": func(*testing.T) (func(shop) func() error, []mp.Option) {
			return goroutines, []mp.Option{mp.In(drivertest.Memory())}
		},
		"manager of this process": func(t *testing.T) (func(shop) func() error, []mp.Option) {
			return processes, []mp.Option{mp.In(served(t))}
		},
		"manager of its own": func(t *testing.T) (func(shop) func() error, []mp.Option) {
			return processes, []mp.Option{mp.In(closing(t, get(manager.Start(ctx, manager.Options{}))(t)))}
		},
		"manager over TCP": func(t *testing.T) (func(shop) func() error, []mp.Option) {
			return processes, []mp.Option{mp.In(closing(t, get(manager.Start(ctx, manager.Options{Address: "127.0.0.1:0"}))(t)))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			hire, in := place(t)
			if got := get(runShop(ctx, hire, in...))(t); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}
