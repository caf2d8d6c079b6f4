// Two processes add one to every element of a shared array and print it.
//
//	arr = multiprocessing.Array('i', [0, 1, 2, 3, 4])
//	for i in range(len(arr)): arr[i] += 1
//	print(arr[:])
//
// The text that this program is from prints [2, 3, 4, 5, 6] and [3, 4, 5, 6, 7], which two
// additions cannot reach from these values. What they reach is in want.txt.
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
)

type job struct {
	Arr *mp.Array[int32]
}

// Update lends the shared memory itself, under the array's lock: no element is lost, no
// process sees the other's half-done work, and the two lines come in order. Without the
// lock, as in Python, the additions of the two processes mix.
func increment(ctx context.Context, j job) error {
	return j.Arr.Update(ctx, func(arr []int32) error {
		for i := range arr {
			arr[i]++
		}
		fmt.Println(arr)
		return nil
	})
}

var Increment = mp.Proc(increment)

func main() {
	mp.Init()
	ctx := context.Background()

	arr, err := mp.ArrayOf[int32](0, 1, 2, 3, 4)
	if err != nil {
		log.Fatal(err)
	}
	defer arr.Close()

	first, err := Increment.Start(ctx, job{arr})
	if err != nil {
		log.Fatal(err)
	}
	second, err := Increment.Start(ctx, job{arr})
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
