// Two processes add one to a shared number and print it.
//
//	val = multiprocessing.Value('i', 0)
//	val.value += 1; print(val.value)
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
)

type job struct {
	Val   *mp.Value[int32]
	Print *mp.Mutex
}

// In Python += reads and then writes, and two processes can lose one of two additions. Here
// the addition is one step. The mutex is for the lines alone: it keeps them in the order of
// the additions. They are not printed inside Update, whose function is called again when
// somebody else was faster. (For adding only, mp.Counter is faster.)
func increment(ctx context.Context, j job) error {
	if err := j.Print.Lock(ctx); err != nil {
		return err
	}
	defer j.Print.Unlock()
	n, err := j.Val.Add(ctx, 1)
	fmt.Println(n)
	return err
}

var Increment = mp.Proc(increment)

func main() {
	mp.Init()
	ctx := context.Background()

	val, err := mp.NewValue[int32](0)
	if err != nil {
		log.Fatal(err)
	}
	defer val.Close()
	lines, err := mp.NewMutex()
	if err != nil {
		log.Fatal(err)
	}
	defer lines.Close()

	first, err := Increment.Start(ctx, job{val, lines})
	if err != nil {
		log.Fatal(err)
	}
	second, err := Increment.Start(ctx, job{val, lines})
	if err != nil {
		log.Fatal(err)
	}
	if err := first.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	if err := second.Wait(ctx); err != nil {
		log.Fatal(err)
	}
}
