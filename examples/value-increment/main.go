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
	Val *mp.Value[int32]
}

// In Python += reads and then writes, and two processes can lose one of two additions. Here
// the addition is one step. It prints while it holds the value, so that the lines come in
// the order of the additions. (For adding only, mp.Counter is faster.)
func increment(ctx context.Context, j job) error {
	return j.Val.Update(ctx, func(v *int32) error {
		*v++
		fmt.Println(*v)
		return nil
	})
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

	first, err := Increment.Start(ctx, job{val})
	if err != nil {
		log.Fatal(err)
	}
	second, err := Increment.Start(ctx, job{val})
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
