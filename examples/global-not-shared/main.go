// A global variable is not shared: what a child appends, the parent never sees.
//
//	result = []
//	def square_list(mylist): result.append(num * num) …
//	p1.start(); p1.join(); print(result)   # still []
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
)

// Every process has its own. Unlike a forked Python child, ours does not even start with
// the parent's value: it is a fresh run of this program, and begins with nil.
var result []int

func squareList(_ context.Context, list []int) error {
	for _, n := range list {
		result = append(result, n*n)
	}
	fmt.Printf("Result(in process p1): %v\n", result)
	return nil
}

var SquareList = mp.Proc(squareList)

func main() {
	mp.Init()
	ctx := context.Background()

	p1, err := SquareList.Start(ctx, []int{1, 2, 3, 4})
	if err != nil {
		log.Fatal(err)
	}
	if err := p1.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Result(in main program): %v\n", result)
}
