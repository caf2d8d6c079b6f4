// Three named children put a message each into a queue; the parent gets them.
//
//	q.put('My Process_name is %s and put the data to the id %d queue' % (name, id(q)))
//	print(q.get())
//
// Python passes the name as an argument. Here it is the name of the process, which also
// stands in its errors.
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
)

// The id, here the address of the handle, is another one in every process. Only a handle
// is there: the queue behind all of them is the same.
func put(ctx context.Context, q *mp.Queue[string]) error {
	return q.Put(ctx, fmt.Sprintf("My Process_name is %s and put the data to the id %p queue", mp.Self().Name, q))
}

var Put = mp.Proc(put)

func main() {
	mp.Init()
	ctx := context.Background()

	q, err := mp.NewQueue[string](0)
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	fmt.Printf("main queue id: %p\n", q)

	var children []mp.Child
	for i := range 3 {
		p, err := Put.With(mp.StartOptions{Name: fmt.Sprintf("Process-%d", i)}).Start(ctx, q)
		if err != nil {
			log.Fatal(err)
		}
		children = append(children, p)
	}
	for range 3 {
		msg, err := q.Get(ctx) // waits until there is one
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(msg)
	}
	if err := mp.WaitAll(ctx, children...); err != nil {
		log.Fatal(err)
	}
}
