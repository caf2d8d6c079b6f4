//go:build linux

package mp_test

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
)

// One that waits for what another does. Among processes the Cond and the value travel,
// in the arguments of a task.
func ExampleCond() {
	ctx := context.Background()
	c, err := mp.NewCond(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ready, err := mp.NewRawValue(false)
	if err != nil {
		log.Fatal(err)
	}
	defer ready.Close()
	go func() {
		if err := c.Lock(ctx); err != nil {
			log.Fatal(err)
		}
		defer c.Unlock()
		ready.Store(true)
		if err := c.Signal(ctx); err != nil {
			log.Fatal(err)
		}
	}()
	if err := c.Lock(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Unlock()
	if err := c.WaitFor(ctx, ready.Load); err != nil {
		log.Print(err) // and the lock is held
		return
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

// The first process that comes fills the table, the others find it filled. If that
// process is killed in the middle the next one fills it.
func ExampleOnce() {
	ctx, m := context.Background(), drivertest.Memory()
	once, err := mp.NewOnce(mp.In(m), mp.WithName("fill"))
	if err != nil {
		log.Fatal(err)
	}
	defer once.Close()
	for range 2 {
		err := once.Do(ctx, func() error { fmt.Println("filled"); return nil })
		fmt.Println(err)
	}
	// Output:
	// filled
	// <nil>
	// <nil>
}

// Workers take over what the producer has added: if one is killed before Done, Wait
// says so instead of waiting for it.
func ExampleWaitGroup() {
	ctx, m := context.Background(), drivertest.Memory()
	wg, err := mp.NewWaitGroup(mp.In(m), mp.WithName("orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer wg.Close()
	if err := wg.Add(ctx, 2); err != nil {
		log.Fatal(err)
	}
	for range 2 { // in a worker, in any process, for each item that it gets
		if err := wg.Take(ctx); err != nil {
			log.Fatal(err)
		}
		fmt.Println("shipped", wg.Done(ctx))
	}
	fmt.Println("all", wg.Wait(ctx))
	// Output:
	// shipped <nil>
	// shipped <nil>
	// all <nil>
}
