// One child fills a queue with squares and ends; the next drains it until it is empty.
//
//	def square_list(mylist, q): q.put(num * num)
//	def print_queue(q): while not q.empty(): print(q.get())
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"multiproc/mp"
)

type job struct {
	List  []int
	Queue *mp.Queue[int]
}

func squareList(ctx context.Context, j job) error {
	for _, n := range j.List {
		if err := j.Queue.Put(ctx, n*n); err != nil {
			return err
		}
	}
	return nil // and exits at once: the squares stay in the queue
}

// Python asks q.empty() and then gets: between the two another getter may have been faster.
// TryGet does both at once.
func printQueue(ctx context.Context, q *mp.Queue[int]) error {
	fmt.Println("Queue elements:")
	for {
		n, err := q.TryGet(ctx)
		if errors.Is(err, mp.ErrEmpty) {
			break
		}
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
	fmt.Println("Queue is now empty!")
	return nil
}

var (
	SquareList = mp.Proc(squareList)
	PrintQueue = mp.Proc(printQueue)
)

func main() {
	mp.Init()
	ctx := context.Background()

	q, err := mp.NewQueue[int](0)
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	p1, err := SquareList.Start(ctx, job{List: []int{1, 2, 3, 4}, Queue: q})
	if err != nil {
		log.Fatal(err)
	}
	if err := p1.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	p2, err := PrintQueue.Start(ctx, q)
	if err != nil {
		log.Fatal(err)
	}
	if err := p2.Wait(ctx); err != nil {
		log.Fatal(err)
	}
}
