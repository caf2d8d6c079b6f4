// The primes below ten million are counted by a sieve, a segment at a time, in worker
// processes.
//
//	def init(root): global small; small = sieve(root)
//	with Pool(initializer=init, initargs=(root,)) as pool:
//	    print(sum(pool.map(count, segments)))
//
// What every segment needs, the primes up to the square root, each worker makes once: that
// is a State, and Python's initializer. Reduce adds up as the results come.
package main

import (
	"context"
	"fmt"
	"iter"
	"log"
	"math"

	"multiproc/mp"
	"multiproc/pool"
)

const limit, step = 10_000_000, 100_000

// sieve returns the primes up to n.
func sieve(_ context.Context, n int) (primes []int, err error) {
	composite := make([]bool, n+1)
	for p := 2; p <= n; p++ {
		if composite[p] {
			continue
		}
		primes = append(primes, p)
		for i := p * p; i <= n; i += p {
			composite[i] = true
		}
	}
	return primes, nil
}

var Small = pool.NewState(sieve)

type segment struct{ From, To int }

// count returns how many primes there are from s.From to below s.To.
func count(_ context.Context, s segment) (primes int, err error) {
	composite := make([]bool, s.To-s.From)
	for _, p := range Small.Get() {
		// From p² on, smaller multiples have a smaller factor.
		for i := max(p*p, (s.From+p-1)/p*p); i < s.To; i += p {
			composite[i-s.From] = true
		}
	}
	for i, c := range composite {
		if !c && s.From+i > 1 {
			primes++
		}
	}
	return primes, nil
}

var Count = mp.Func(count)

func segments() iter.Seq[segment] {
	return func(yield func(segment) bool) {
		for from := 0; from < limit; from += step {
			if !yield(segment{from, min(from+step, limit)}) {
				return
			}
		}
	}
}

func main() {
	mp.Init()
	ctx := context.Background()

	root := int(math.Sqrt(limit))
	p, err := pool.New(pool.Options{Setup: []pool.Setup{Small.With(root)}})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	primes, err := Count.Reduce(ctx, p, segments(), func(sum, next int) int { return sum + next })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d primes below %d\n", primes, limit)
}
