package pymp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"multiproc/mp"
	"multiproc/pymp"
)

// A Go program takes orders from the queue of a Python program:
//
//	orders = queue.Queue()
//	BaseManager.register('get_orders', callable=lambda: orders)
//	BaseManager(('', 50000), authkey=b'…').get_server().serve_forever()
func ExampleDial() {
	ctx := context.Background()
	m, err := pymp.Dial(ctx, "127.0.0.1:50000", []byte(os.Getenv("MP_AUTHKEY")))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	orders, err := m.Create(ctx, "get_orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer orders.Close()
	for {
		order, err := pymp.Call[map[string]any](ctx, orders, "get", pymp.Kwargs{"timeout": 5})
		switch {
		case errors.Is(err, mp.ErrEmpty):
			return
		case err != nil:
			fmt.Println(err)
			return
		}
		fmt.Println(order["item"])
	}
}

// An RLock belongs to the channel over which it was acquired.
func ExampleManager_Channel() {
	guarded := func(ctx context.Context, m *pymp.Manager, lock, d *pymp.Proxy) (err error) {
		ch, err := m.Channel(ctx)
		if err != nil {
			return err
		}
		defer ch.Close()
		mine := ch.Bind(lock)
		if err := mine.Call(ctx, "acquire"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, mine.Call(ctx, "release")) }()
		n, err := pymp.Call[int](ctx, d, "get", "n", 0)
		if err != nil {
			return err
		}
		return d.Call(ctx, "__setitem__", "n", n+1)
	}
	_ = guarded
}

// A Go program waits for Python programs that connect by
//
//	c = multiprocessing.connection.Client('/run/user/1000/jobs', authkey=b'…')
//	c.send({'id': 7, 'items': [1, 2, 3]})
//	print(c.recv())
func ExampleListen() {
	type job struct {
		ID    int   `mp:"id"`
		Items []int `mp:"items"`
	}
	ctx := context.Background()
	l, err := pymp.Listen("/run/user/1000/jobs", []byte(os.Getenv("MP_AUTHKEY")))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	for {
		c, err := l.Accept(ctx)
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for {
				j, err := pymp.Recv[job](ctx, c)
				if err == io.EOF {
					return
				}
				if err == nil {
					err = c.Send(ctx, pymp.Tuple{int64(j.ID), int64(len(j.Items)), time.Now()})
				}
				if err != nil {
					fmt.Println(err)
					return
				}
			}
		}()
	}
}
