// Ten processes change one dictionary and one list.
//
//	with Manager() as manager:
//	    dic = manager.dict()
//	    lis = manager.list(range(5))
//	    dic["Process_%s" % n] = "1"; dic['2'] = 2; dic[0.25] = None
//	    lis.append(n)
package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"strings"

	"multiproc/manager"
	"multiproc/mp"
)

type job struct {
	N    int
	Dict *mp.Dict[any, any]
	List *mp.List[int]
}

func change(ctx context.Context, j job) error {
	if err := j.Dict.Set(ctx, fmt.Sprint("Process_", j.N), "1"); err != nil {
		return err
	}
	if err := j.Dict.Set(ctx, "2", 2); err != nil {
		return err
	}
	if err := j.Dict.Set(ctx, 0.25, nil); err != nil {
		return err
	}
	// Python's dic['n'] += 1 would lose some of these; this is carried out by the manager.
	if _, err := j.Dict.Add(ctx, "changes", 1); err != nil {
		return err
	}
	return j.List.Append(ctx, j.N)
}

var Change = mp.Proc(change)

// line prints a dictionary in the order of its keys' text, for they are of several types.
func line(d map[any]any) string {
	var entries []string
	for k, v := range d {
		entries = append(entries, fmt.Sprint(k, ": ", v))
	}
	slices.Sort(entries)
	return "{" + strings.Join(entries, ", ") + "}"
}

func main() {
	mp.Init()
	ctx := context.Background()

	m, err := manager.Start(ctx, manager.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	d, err := mp.NewDict[any, any](mp.In(m))
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	l, err := mp.NewList[int](mp.In(m))
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	if err := l.AppendBatch(ctx, []int{0, 1, 2, 3, 4}); err != nil {
		log.Fatal(err)
	}

	var children []mp.Child
	for i := range 10 {
		p, err := Change.Start(ctx, job{i, d, l})
		if err != nil {
			log.Fatal(err)
		}
		children = append(children, p)
	}
	if err := mp.WaitAll(ctx, children...); err != nil {
		log.Fatal(err)
	}

	dict, err := d.Copy(ctx)
	if err != nil {
		log.Fatal(err)
	}
	list, err := l.Copy(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(line(dict))
	slices.Sort(list[5:]) // they came in any order
	fmt.Println(list)
}
