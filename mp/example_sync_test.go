//go:build linux

package mp_test

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
)

// One that waits for what another does, with a manager in the place of the
// example's.
func ExampleCond() {
	ctx, m := context.Background(), drivertest.Memory()
	c, err := mp.NewCond(nil, mp.In(m))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ready := false // a Value or a Dict of the same place, among processes
	go func() {
		if err := c.Lock(ctx); err != nil {
			log.Fatal(err)
		}
		defer c.Unlock()
		ready = true
		if err := c.Signal(ctx); err != nil {
			log.Fatal(err)
		}
	}()
	if err := c.Lock(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Unlock()
	for !ready {
		if err := c.Wait(ctx); err != nil {
			log.Print(err) // and the lock is held
			return
		}
	}
	fmt.Println("ready")
	// Output: ready
}

// Never more than 8 MB of downloads at once, in all processes together: each takes as
// many permits as it has megabytes. A process that is killed gives its permits back.
func ExampleSemaphore() {
	ctx, m := context.Background(), drivertest.Memory()
	s, err := mp.NewSemaphore(8, mp.In(m), mp.WithName("downloads"))
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Acquire(ctx, 5); err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.TryAcquire(ctx, 3))
	fmt.Println(s.TryAcquire(ctx, 1))
	fmt.Println(s.Release(ctx, 5))
	// Output:
	// true <nil>
	// false <nil>
	// <nil>
}

// Any number of readers, in all processes together, or one writer.
func ExampleRWMutex() {
	ctx := context.Background()
	l, err := mp.NewRWMutex()
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	if err := l.RLock(ctx); err != nil {
		log.Fatal(err) // *mp.OwnerDiedError, if another died as the writer
	}
	fmt.Println(l.TryRLock(ctx))
	fmt.Println(l.TryLock(ctx))
	l.RUnlock()
	l.RUnlock()
	fmt.Println(l.TryLock(ctx))
	l.Unlock()
	// Output:
	// true <nil>
	// false <nil>
	// true <nil>
}
