// An item that never ends is given up after a time; the others have their results.
//
//	futures = [pool.schedule(steps, args=(n,), timeout=0.5) for n in numbers]   # pebble
//
// multiprocessing.Pool and ProcessPoolExecutor have no such thing: their timeouts end the
// waiting, and the worker runs on for ever.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"multiproc/mp"
	"multiproc/pool"
)

// steps is how many steps of Collatz it takes from n to 1. From 0 it never gets there, and
// it does not look at its context: only the end of the process ends it.
func steps(_ context.Context, n int) (steps int, err error) {
	for ; n != 1; steps++ {
		if n%2 == 0 {
			n /= 2
		} else {
			n = 3*n + 1
		}
	}
	return steps, nil
}

var Steps = mp.Func(steps)

func main() {
	mp.Init()
	ctx := context.Background()

	p, err := pool.New(pool.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	// After half a second an item's context ends, and a tenth later its process. Another one
	// takes its place.
	patient := p.With(pool.Call{Timeout: 500 * time.Millisecond, Grace: 100 * time.Millisecond})
	numbers := []int{1, 7, 0, 27, 97, 871}
	i := 0
	for n, err := range Steps.Map(ctx, patient, slices.Values(numbers)) {
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			fmt.Printf("from %d: given up\n", numbers[i])
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Printf("from %d: %d steps\n", numbers[i], n)
		}
		i++
	}
}
