package manager_test

import (
	"context"
	"fmt"
	"log"
	"sync"

	"multiproc/manager"
	"multiproc/mp"
)

// Depot is a type of the program that serves.
type Depot struct{ orders *mp.Queue[any] }

// Orders returns a queue of the manager: a *mp.Queue in Go, a proxy in Python.
func (d *Depot) Orders() *mp.Queue[any] { return d.orders }

// serve is a server whose program is a client of it: that is where the objects
// come from that its own types return.
func serve(ctx context.Context, address string, o manager.Options) error {
	open := sync.OnceValues(func() (*Depot, error) {
		m, err := manager.Dial(ctx, address, o)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = m.Close() })
		orders, err := mp.NewQueue[any](0, mp.In(m))
		return &Depot{orders}, err
	})
	manager.Register("Depot", open)
	// In Python: register('get_orders', callable=lambda: orders)
	manager.Register("get_orders", func() (*mp.Queue[any], error) {
		d, err := open()
		if err != nil {
			return nil, err
		}
		return d.Orders(), nil
	})
	l, err := manager.Listen(address)
	if err != nil {
		return err
	}
	return manager.Serve(ctx, l, o)
}

// Methods and constructors return objects of the manager, to Go and Python
// programs.
func ExampleRegister() {
	ctx, stop := context.WithCancel(context.Background())
	o := manager.Options{Authkey: []byte("a key of the example")}
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, "@multiproc-example-register", o) }()

	var m *manager.Manager
	for m == nil { // until the server listens
		m, _ = manager.Dial(ctx, "@multiproc-example-register", o)
	}
	depot, err := manager.New(ctx, m, "Depot")
	if err != nil {
		log.Fatal(err)
	}
	orders, err := manager.Call[*mp.Queue[any]](ctx, depot, "Orders")
	if err != nil {
		log.Fatal(err)
	}
	same, err := manager.New(ctx, m, "get_orders")
	if err != nil {
		log.Fatal(err)
	}
	if err := orders.Put(ctx, "tea"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(manager.Call[string](ctx, same, "get"))

	_ = m.Close()
	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output: tea <nil>
}
