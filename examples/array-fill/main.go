// Five processes fill one element each of a shared array, and print all of it.
//
//	ar = Array('i', 5)
//	ar[i] = i
//	for item in ar: print(item)
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
)

type job struct {
	N     int
	Array *mp.Array[int32]
}

func fill(_ context.Context, j job) error {
	j.Array.Store(j.N, int32(j.N))
	// The others write at the same time: an element is what it was or what it will be.
	for _, item := range j.Array.All() {
		fmt.Println(item)
	}
	fmt.Println("------")
	return nil
}

var Fill = mp.Proc(fill)

func main() {
	mp.Init()
	ctx := context.Background()

	// The type code 'i' is the type parameter int32. Type and length are fixed, as in Python.
	a, err := mp.NewArray[int32](5)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()

	var children []mp.Child
	for i := range 5 {
		p, err := Fill.Start(ctx, job{N: i, Array: a})
		if err != nil {
			log.Fatal(err)
		}
		children = append(children, p)
	}
	if err := mp.WaitAll(ctx, children...); err != nil {
		log.Fatal(err)
	}

	all, err := a.Slice(ctx, 0, a.Len())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("in the end:", all)
}
