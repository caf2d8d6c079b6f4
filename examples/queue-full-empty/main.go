// A queue for three: full and empty, first in first out, values of any type.
//
//	q = Queue(3)
//	q.full(); q.empty(); q.get(); q.get_nowait()
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"multiproc/mp"
)

// Queue[any] is the queue that Python has. A queue of one type is faster, and the compiler
// checks what goes in.
func fill(ctx context.Context, q *mp.Queue[any]) error {
	for _, v := range []any{42, "hello", []any{1.5, nil, true}} {
		if err := q.Put(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

var Fill = mp.Proc(fill)

func show(ctx context.Context, when string, q *mp.Queue[any]) {
	full, err := q.Full(ctx)
	if err != nil {
		log.Fatal(err)
	}
	empty, err := q.Empty(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(when+": full", full, "empty", empty)
}

func main() {
	mp.Init()
	ctx := context.Background()

	q, err := mp.NewQueue[any](3)
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	show(ctx, "new", q)

	if _, err := Fill.Run(ctx, q); err != nil {
		log.Fatal(err)
	}
	show(ctx, "filled", q)

	for range q.Cap() {
		v, err := q.Get(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%T %v\n", v, v)
	}
	show(ctx, "drained", q)

	// Get would wait now. TryGet says at once that there is nothing.
	if _, err := q.TryGet(ctx); !errors.Is(err, mp.ErrEmpty) {
		log.Fatalf("TryGet on an empty queue: %v", err)
	}
	fmt.Println("TryGet: the queue is empty")
}
