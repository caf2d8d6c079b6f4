// Put and Get with a timeout and without waiting, on a queue for one.
//
//	q.put(x, timeout=0.02); q.put(x, block=False)   # queue.Full
//	q.get(timeout=0.02);    q.get(block=False)      # queue.Empty
//
// A timeout is a context's deadline here, and running out of time says so. Full and empty
// are what the calls that never wait report.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"multiproc/mp"
)

type job struct {
	Queue *mp.Queue[int]
	N     int
	Wait  time.Duration // zero: do not wait at all
}

func put(ctx context.Context, j job) error {
	if j.Wait == 0 {
		return j.Queue.TryPut(ctx, j.N)
	}
	ctx, cancel := context.WithTimeout(ctx, j.Wait)
	defer cancel()
	return j.Queue.Put(ctx, j.N)
}

func get(ctx context.Context, j job) (int, error) {
	if j.Wait == 0 {
		return j.Queue.TryGet(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, j.Wait)
	defer cancel()
	return j.Queue.Get(ctx)
}

var (
	Put = mp.Proc(put)
	Get = mp.Func(get) // a task with a result
)

// outcome says in a word what became of a call. The errors come from another process and
// are still the same errors.
func outcome(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, mp.ErrFull):
		return "full"
	case errors.Is(err, mp.ErrEmpty):
		return "empty"
	case errors.Is(err, context.DeadlineExceeded):
		return "out of time"
	}
	return err.Error()
}

func main() {
	mp.Init()
	ctx := context.Background()
	const short, long = 20 * time.Millisecond, time.Minute

	q, err := mp.NewQueue[int](1)
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	_, err = Get.Run(ctx, job{Queue: q})
	fmt.Println("get, no waiting, nothing there:", outcome(err))
	_, err = Get.Run(ctx, job{Queue: q, Wait: short})
	fmt.Println("get, short wait, nothing there:", outcome(err))

	_, err = Put.Run(ctx, job{Queue: q, N: 1})
	fmt.Println("put 1, no waiting, a free slot:", outcome(err))
	_, err = Put.Run(ctx, job{Queue: q, N: 2})
	fmt.Println("put 2, no waiting, no free slot:", outcome(err))
	_, err = Put.Run(ctx, job{Queue: q, N: 2, Wait: short})
	fmt.Println("put 2, short wait, no free slot:", outcome(err))

	// A Put that has time waits until somebody makes room.
	putter, err := Put.Start(ctx, job{Queue: q, N: 3, Wait: long})
	if err != nil {
		log.Fatal(err)
	}
	n, err := Get.Run(ctx, job{Queue: q})
	fmt.Println("get, no waiting, a value there:", n, outcome(err))
	fmt.Println("put 3, long wait:", outcome(putter.Wait(ctx)))

	// And a Get that has time waits until somebody puts.
	n, err = Get.Run(ctx, job{Queue: q, Wait: long})
	fmt.Println("get, long wait:", n, outcome(err))
}
