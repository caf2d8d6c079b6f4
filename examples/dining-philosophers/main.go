// Five philosophers share five forks, and each needs two to eat. A semaphore lets four at
// most sit down, so that one of them always gets both.
//
//	footman = multiprocessing.Semaphore(4)
//	with footman, forks[i], forks[(i + 1) % 5]: eat()
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"multiproc/mp"
)

const (
	philosophers = 5
	meals        = 200
)

type seat struct {
	N       int
	Forks   [philosophers]*mp.Mutex
	Footman *mp.Semaphore
	Eaten   *mp.RawArray[int]
}

func dine(ctx context.Context, s seat) error {
	left, right := s.Forks[s.N], s.Forks[(s.N+1)%philosophers]
	for range meals {
		if err := s.Footman.Acquire(ctx, 1); err != nil {
			return err
		}
		if err := left.Lock(ctx); err != nil {
			return err
		}
		if err := right.Lock(ctx); err != nil {
			return err
		}
		s.Eaten.Elements()[s.N]++
		right.Unlock()
		left.Unlock()
		if err := s.Footman.Release(ctx, 1); err != nil {
			return err
		}
	}
	return nil
}

// fallAsleep sits down, and dies at the table.
func fallAsleep(ctx context.Context, s seat) error {
	if err := s.Footman.Acquire(ctx, 1); err != nil {
		return err
	}
	os.Exit(1)
	return nil
}

var (
	Dine       = mp.Proc(dine)
	FallAsleep = mp.Proc(fallAsleep)
)

func main() {
	mp.Init()
	ctx := context.Background()

	var s seat
	var err error
	for i := range s.Forks {
		if s.Forks[i], err = mp.NewMutex(); err != nil {
			log.Fatal(err)
		}
		defer s.Forks[i].Close()
	}
	if s.Footman, err = mp.NewSemaphore(philosophers - 1); err != nil {
		log.Fatal(err)
	}
	defer s.Footman.Close()
	if s.Eaten, err = mp.NewRawArray[int](philosophers); err != nil {
		log.Fatal(err)
	}
	defer s.Eaten.Close()

	// Four guests die with a seat each. In Python the table would be full for ever; here
	// what a process has of a semaphore comes back when it ends.
	for range philosophers - 1 {
		_, _ = FallAsleep.Run(ctx, s) // exit status 1
	}
	var all []mp.Child
	for s.N = range philosophers {
		p, err := Dine.Start(ctx, s)
		if err != nil {
			log.Fatal(err)
		}
		all = append(all, p)
	}
	if err := mp.WaitAll(ctx, all...); err != nil {
		log.Fatal(err)
	}
	fmt.Println("meals:", s.Eaten.Elements())
}
