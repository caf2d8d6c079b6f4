// Five processes put into one queue without a length.
//
//	q = multiprocessing.Queue()
//	q.put(i); print("--->", i, q.qsize())
package main

import (
	"context"
	"fmt"
	"log"
	"slices"

	"multiproc/mp"
)

type job struct {
	N     int
	Queue *mp.Queue[int]
}

func put(ctx context.Context, j job) error {
	if err := j.Queue.Put(ctx, j.N); err != nil {
		return err
	}
	n, err := j.Queue.Len(ctx)
	if err != nil {
		return err
	}
	fmt.Println("--->", j.N, n)
	return nil
}

var Put = mp.Proc(put)

func main() {
	mp.Init()
	ctx := context.Background()

	// Zero: no bound on the items, only on the bytes (see mp.MaxBytes). Unlike Python's there
	// is no feeder thread: when Put returns, the value is in the queue, and Len is exact.
	q, err := mp.NewQueue[int](0)
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	var children []mp.Child
	for i := range 5 {
		p, err := Put.Start(ctx, job{N: i, Queue: q})
		if err != nil {
			log.Fatal(err)
		}
		children = append(children, p)
	}
	if err := mp.WaitAll(ctx, children...); err != nil {
		log.Fatal(err)
	}

	// Nobody puts any more: after CloseWrite, All ends when the queue is drained.
	if err := q.CloseWrite(ctx); err != nil {
		log.Fatal(err)
	}
	var values []int
	for v, err := range q.Drain(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		values = append(values, v)
	}
	slices.Sort(values)
	fmt.Println("in the queue:", values)
}
