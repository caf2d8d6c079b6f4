//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
)

// Programs use a *manager.Manager, from manager.Start or manager.Dial. The
// place of these examples is as good for a test.
func ExampleIn() {
	ctx, m := context.Background(), drivertest.Memory()
	orders, err := mp.NewQueue[string](100, mp.In(m), mp.WithName("orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer orders.Close()
	if err := orders.Put(ctx, "two apples"); err != nil {
		log.Fatal(err)
	}
	// Somewhere else: whoever knows the name has the same queue.
	same, err := mp.NewQueue[string](100, mp.In(m), mp.WithName("orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer same.Close()
	fmt.Println(same.Get(ctx))
	// Output: two apples <nil>
}

func ExampleDict() {
	ctx := context.Background()
	stock, err := mp.NewDict[string, int](mp.In(drivertest.Memory()))
	if err != nil {
		log.Fatal(err)
	}
	defer stock.Close()
	if err := stock.SetBatch(ctx, map[string]int{"apples": 5}); err != nil {
		log.Fatal(err)
	}
	left, err := stock.Add(ctx, "apples", -2)
	fmt.Println(left, err)
	_, err = stock.Get(ctx, "pears")
	fmt.Println(errors.Is(err, mp.ErrNoKey))
	for e, err := range stock.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Key, e.Value)
	}
	// Output:
	// 3 <nil>
	// true
	// apples 3
}

func ExampleDict_Update() {
	ctx := context.Background()
	type account struct {
		Owner   string
		Entries []int
	}
	accounts, err := mp.NewDict[int, account](mp.In(drivertest.Memory()))
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	err = accounts.Update(ctx, 7, func(a *account) error {
		a.Owner = "bob"
		a.Entries = append(a.Entries, -20)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(accounts.Get(ctx, 7))
	// Output: {bob [-20]} <nil>
}

func ExampleDict_Watch() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d, err := mp.NewDict[string, int](mp.In(drivertest.Memory()))
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	changes := d.Watch(ctx) // from here on nothing is missed
	if err := d.Set(ctx, "a", 1); err != nil {
		log.Fatal(err)
	}
	if err := d.Clear(ctx); err != nil {
		log.Fatal(err)
	}
	for c, err := range changes {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(c.Op, c.Key, c.Value)
		if c.Op == "clear" {
			break
		}
	}
	// Output:
	// set a 1
	// clear  0
}

func ExampleList() {
	ctx := context.Background()
	l, err := mp.NewList[string](mp.In(drivertest.Memory()))
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	if err := l.AppendBatch(ctx, []string{"b", "c", "a"}); err != nil {
		log.Fatal(err)
	}
	if err := l.Sort(ctx, false); err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Get(ctx, -1))
	fmt.Println(l.Slice(ctx, mp.End, mp.Begin, -1)) // l[::-1]
	// Output:
	// c <nil>
	// [c b a] <nil>
}

// A list in a dict stays shared.
func ExampleList_nested() {
	ctx, m := context.Background(), mp.In(drivertest.Memory())
	logs, err := mp.NewDict[string, *mp.List[string]](m)
	if err != nil {
		log.Fatal(err)
	}
	defer logs.Close()
	lines, err := mp.NewList[string](m)
	if err != nil {
		log.Fatal(err)
	}
	defer lines.Close()
	if err := logs.Set(ctx, "server", lines); err != nil {
		log.Fatal(err)
	}
	same, err := logs.Get(ctx, "server")
	if err != nil {
		log.Fatal(err)
	}
	defer same.Close()
	if err := same.Append(ctx, "started"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(lines.Copy(ctx))
	// Output: [started] <nil>
}

func ExampleSet() {
	ctx := context.Background()
	seen, err := mp.NewSet[string](mp.In(drivertest.Memory()))
	if err != nil {
		log.Fatal(err)
	}
	defer seen.Close()
	fmt.Println(seen.Insert(ctx, "10.0.0.1"))
	fmt.Println(seen.Insert(ctx, "10.0.0.1"))
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleNamespace() {
	ctx := context.Background()
	ns, err := mp.NewNamespace(mp.In(drivertest.Memory()))
	if err != nil {
		log.Fatal(err)
	}
	defer ns.Close()
	if err := ns.Set(ctx, "workers", 4); err != nil {
		log.Fatal(err)
	}
	n, err := mp.Attr[int](ctx, ns, "workers")
	fmt.Println(n, err)
	// Output: 4 <nil>
}
