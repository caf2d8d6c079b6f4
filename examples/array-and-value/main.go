// A child fills a shared array with squares and a shared value with their sum; the parent
// reads both.
//
//	result = multiprocessing.Array('i', 4)
//	square_sum = multiprocessing.Value('i')
//	result[idx] = num * num; square_sum.value = sum(result)
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
)

type job struct {
	List   []int32
	Result *mp.Array[int32]
	Sum    *mp.Value[int32]
}

func squareList(ctx context.Context, j job) error {
	for i, n := range j.List {
		j.Result.Store(i, n*n)
	}
	var sum int32
	for _, n := range j.Result.All() {
		sum += n
	}
	if err := j.Sum.Store(ctx, sum); err != nil {
		return err
	}
	return show(ctx, "process p1", j)
}

var SquareList = mp.Proc(squareList)

func show(ctx context.Context, where string, j job) error {
	squares, err := j.Result.Slice(ctx, 0, j.Result.Len()) // a copy, as result[:] is
	if err != nil {
		return err
	}
	sum, err := j.Sum.Load(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("Result(in %s): %v\n", where, squares)
	fmt.Printf("Sum of squares(in %s): %d\n", where, sum)
	return nil
}

func main() {
	mp.Init()
	ctx := context.Background()

	result, err := mp.NewArray[int32](4)
	if err != nil {
		log.Fatal(err)
	}
	defer result.Close()
	sum, err := mp.NewValue[int32](0)
	if err != nil {
		log.Fatal(err)
	}
	defer sum.Close()

	j := job{List: []int32{1, 2, 3, 4}, Result: result, Sum: sum}
	p1, err := SquareList.Start(ctx, j)
	if err != nil {
		log.Fatal(err)
	}
	if err := p1.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	if err := show(ctx, "main program", j); err != nil {
		log.Fatal(err)
	}
}
