// Workers are killed in the midst of their work, and the sum is right all the same.
//
//	pool.map(square, range(500))                  # hangs for ever after the first death
//	ProcessPoolExecutor().map(square, range(500)) # BrokenProcessPool for all that is left
//
// Here a death costs the item that ran, and no other one. With Retry that runs again, in
// another worker.
package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"math/rand/v2"
	"os"

	"multiproc/mp"
	"multiproc/pool"
)

const items = 500

type job struct {
	N     int
	Tries *mp.Array[int32] // how often each item was begun
}

// square is killed at about one of ten items. When such an item runs again that may happen
// once more, but not at the third time.
func square(_ context.Context, j job) (int, error) {
	try := mp.AtomicAdd(j.Tries, j.N, 1)
	if try < 3 && rand.New(rand.NewPCG(uint64(j.N), uint64(try))).IntN(10) == 0 {
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return 0, err
		}
		if err := self.Kill(); err != nil {
			return 0, err
		}
		select {} // until it has happened
	}
	return j.N * j.N, nil
}

var Square = mp.Func(square)

func jobs(tries *mp.Array[int32]) iter.Seq[job] {
	return func(yield func(job) bool) {
		for n := range items {
			if !yield(job{n, tries}) {
				return
			}
		}
	}
}

// squares adds up the squares, and prints what came of it.
func squares(ctx context.Context, p *pool.Pool, c pool.Call) error {
	tries, err := mp.NewArray[int32](items)
	if err != nil {
		return err
	}
	defer tries.Close()

	sum, lost := 0, 0
	for square, err := range Square.Map(ctx, p.With(c), jobs(tries)) {
		var died *pool.WorkerDiedError
		switch {
		case errors.As(err, &died):
			lost++
		case err != nil:
			return err
		default:
			sum += square
		}
	}
	deaths := lost
	for _, n := range tries.All() {
		deaths += int(n) - 1
	}
	fmt.Printf("%d workers were killed, %d items have no result, the others' sum is %d\n", deaths, lost, sum)
	return nil
}

func main() {
	mp.Init()
	ctx := context.Background()

	p, err := pool.New(pool.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	fmt.Println("Without Retry:")
	if err := squares(ctx, p, pool.Call{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("With Retry:")
	if err := squares(ctx, p, pool.Call{Retry: pool.Retry{Max: 2}}); err != nil {
		log.Fatal(err)
	}
}
