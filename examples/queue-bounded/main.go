// Five processes put into one queue that holds nine, and print how full it is.
//
//	q = queues.Queue(9, ctx=multiprocessing)
//	q.put(i); print("--->", i, q.qsize())
package main

import (
	"context"
	"fmt"
	"log"
	"slices"

	"multiproc/mp"
)

// Everything a process is given travels in one struct, the queue included. The fields that
// travel are exported; a queue is not copied, both processes hold the same one.
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

// A task is made at package level, so that the child, which is this program started again,
// knows it as well.
var Put = mp.Proc(put)

func main() {
	mp.Init() // in a child: runs the task and never returns
	ctx := context.Background()

	q, err := mp.NewQueue[int](9)
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	// Python joins the last process only. We wait for all of them and hear of their errors.
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

	// What was put is in the queue, although those who put it are gone.
	values, err := q.GetBatch(ctx, q.Cap())
	if err != nil {
		log.Fatal(err)
	}
	slices.Sort(values)
	fmt.Println("in the queue:", values)
}
