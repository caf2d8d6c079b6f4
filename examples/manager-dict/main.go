// Five processes fill one dictionary, and each prints its values.
//
//	m = Manager()
//	d = m.dict()
//	d[i] = i + 100
//	print(d.values())
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/manager"
	"multiproc/mp"
)

type job struct {
	N    int
	Dict *mp.Dict[int, int]
}

func fill(ctx context.Context, j job) error {
	if err := j.Dict.Set(ctx, j.N, j.N+100); err != nil {
		return err
	}
	var values []int
	for v, err := range j.Dict.Values(ctx) {
		if err != nil {
			return err
		}
		values = append(values, v)
	}
	fmt.Println(len(values), "values, one of them", values[len(values)-1])
	return nil
}

var Fill = mp.Proc(fill)

func main() {
	mp.Init()
	ctx := context.Background()

	// The manager is a process of its own, as in Python. It ends with this one.
	m, err := manager.Start(ctx, manager.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	d, err := mp.NewDict[int, int](mp.In(m))
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()

	var children []mp.Child
	for i := range 5 {
		p, err := Fill.Start(ctx, job{N: i, Dict: d})
		if err != nil {
			log.Fatal(err)
		}
		children = append(children, p)
	}
	if err := mp.WaitAll(ctx, children...); err != nil {
		log.Fatal(err)
	}
	all, err := d.Copy(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("in the end:", all)
}
