//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
)

// One example for each type that the others do not show.

// tally is what the workers of these examples share.
type tally struct {
	Lock  *mp.Mutex
	Cells *mp.RawArray[int]
	Hits  *mp.Counter
}

// CountUp adds one a thousand times, in both ways.
var CountUp = mp.Proc(countUp)

func countUp(ctx context.Context, t tally) error {
	for range 1000 {
		t.Hits.Add(1)
		if err := t.Lock.Lock(ctx); err != nil {
			return err // *mp.OwnerDiedError, if another died with the lock
		}
		t.Cells.Elements()[0]++
		t.Lock.Unlock()
	}
	return nil
}

// A lock in memory around data that has none, two processes, and a group that
// waits for both.
func ExampleMutex() {
	lock, err := mp.NewMutex()
	if err != nil {
		log.Fatal(err)
	}
	defer lock.Close()
	cells, err := mp.NewRawArray[int](1)
	if err != nil {
		log.Fatal(err)
	}
	defer cells.Close()
	hits, err := mp.NewCounter(0)
	if err != nil {
		log.Fatal(err)
	}
	defer hits.Close()
	g, ctx := mp.NewGroup(context.Background())
	for range 2 {
		g.Go(CountUp.Call(ctx, tally{lock, cells, hits}))
	}
	if err := g.Wait(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(cells.Load(0), hits.Load())
	// Output: 2000 2000
}

func ExampleCounter() {
	tickets, err := mp.NewCounter(3)
	if err != nil {
		log.Fatal(err)
	}
	defer tickets.Close()
	fmt.Println(tickets.Add(-1))
	fmt.Println(tickets.CompareAndSwap(2, 0), tickets.Load())
	// Output:
	// 2
	// true 0
}

// A raw array is memory and no more: who shares it agrees on an order, here by
// waiting for the process that writes.
func ExampleRawArray() {
	a, err := mp.NewRawArray[float64](3)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	if _, err := Halve.Run(context.Background(), a); err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Elements())
	// Output: [0 0.5 1]
}

// Halve fills an array.
var Halve = mp.Func(halve)

func halve(_ context.Context, a *mp.RawArray[float64]) (mp.None, error) {
	for i := range a.Len() {
		a.Store(i, float64(i)/2)
	}
	return mp.None{}, nil
}

func ExampleRawValue() {
	v, err := mp.NewRawValue(time.Second)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	v.Store(2 * v.Load())
	fmt.Println(v.Load())
	// Output: 2s
}

// Two ends of a pipe, each of which sends what the other receives.
func ExampleConn() {
	ctx := context.Background()
	ask, answer, err := mp.Pipe[string, int]()
	if err != nil {
		log.Fatal(err)
	}
	defer ask.Close()
	p, err := Measure.Start(ctx, answer)
	if err != nil {
		log.Fatal(err)
	}
	for _, word := range []string{"one", "three"} {
		if err := ask.Send(ctx, word); err != nil {
			log.Fatal(err)
		}
		fmt.Println(ask.Recv(ctx))
	}
	if err := ask.CloseWrite(); err != nil { // its loop ends
		log.Fatal(err)
	}
	fmt.Println(p.Wait(ctx))
	// Output:
	// 3 <nil>
	// 5 <nil>
	// <nil>
}

// Measure answers each word with its length.
var Measure = mp.Proc(measure)

func measure(ctx context.Context, c *mp.Conn[int, string]) error {
	for word, err := range c.Drain(ctx) {
		if err != nil {
			return err
		}
		if err := c.Send(ctx, len(word)); err != nil {
			return err
		}
	}
	return nil
}

// A process that is told to stop, waited for, and looked at.
func ExampleProcess() {
	ctx := context.Background()
	p, err := Idle.With(mp.StartOptions{Name: "idler", Grace: time.Minute}).Start(ctx, mp.None{})
	if err != nil {
		log.Fatal(err)
	}
	p.Cancel(errors.New("no more work"))
	fmt.Println(p.Wait(ctx))
	<-p.Done()
	fmt.Println(p.Name(), p.State())
	// Output:
	// <nil>
	// idler exit code 0
}

// Idle waits until it is told to stop.
var Idle = mp.Proc(idle)

func idle(ctx context.Context, _ mp.None) error {
	<-ctx.Done()
	return nil
}

// Open files travel as handles do.
func ExampleTask_Start_file() {
	ctx := context.Background()
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	if _, err := Write.Run(ctx, w); err != nil {
		log.Fatal(err)
	}
	_ = w.Close()
	var word string
	_, err = fmt.Fscan(r, &word)
	fmt.Println(word, err)
	// Output: hello <nil>
}

// Write writes to a file that was opened elsewhere.
var Write = mp.Func(write)

func write(_ context.Context, f *os.File) (mp.None, error) {
	defer f.Close()
	_, err := fmt.Fprintln(f, "hello")
	return mp.None{}, err
}

// A time limit for one call.
func ExampleWithin() {
	ctx := context.Background()
	q, err := mp.NewQueue[int](1)
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	_, err = q.Get(mp.Within(ctx, time.Millisecond))
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

func ExampleGroup() {
	g, ctx := mp.NewGroup(context.Background())
	for n := range 3 {
		g.Go(Square.Call(ctx, n))
	}
	g.Go(Refuse.Call(ctx, 1)) // the first failure ends the others
	fmt.Println(errors.Is(g.Wait(), ErrSoldOut))
	// Output: true
}

// A lock that its holder may take again, with a manager in the place of the
// example's.
func ExampleRecursiveMutex() {
	ctx := context.Background()
	m, err := mp.NewRecursiveMutex(mp.In(drivertest.Memory()))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if err := m.Lock(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.TryLock(ctx))
	m.Unlock()
	m.Unlock()
	// Output: true <nil>
}

func ExampleEvent() {
	ctx := context.Background()
	e, err := mp.NewEvent(mp.In(drivertest.Memory()), mp.WithName("started"))
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	go func() {
		if err := e.Set(ctx); err != nil {
			log.Fatal(err)
		}
	}()
	fmt.Println(e.Wait(ctx))
	fmt.Println(e.IsSet(ctx))
	// Output:
	// <nil>
	// true <nil>
}

// Three parties meet; one of them does what is to be done once.
func ExampleBarrier() {
	ctx := context.Background()
	b, err := mp.NewBarrier(3, mp.In(drivertest.Memory()))
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	done := make(chan int)
	for range 3 {
		go func() {
			index, err := b.Wait(ctx)
			if err != nil {
				log.Fatal(err)
			}
			done <- index
		}()
	}
	fmt.Println(<-done + <-done + <-done)
	// Output: 3
}
