// A one-way pipe: one end receives, the other sends, and neither does the opposite.
//
//	conn1, conn2 = Pipe(duplex=False)   # conn1 only receives, conn2 only sends
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"multiproc/mp"
)

// The type says which way it goes: this end sends strings and receives nothing, so that
// c.Recv would give a None and no text.
func send(ctx context.Context, c *mp.Conn[string, mp.None]) error {
	if err := c.Send(ctx, "hello"); err != nil {
		return err
	}
	if _, err := c.Recv(ctx); !errors.Is(err, mp.ErrDirection) {
		return fmt.Errorf("receiving at the sending end: %w", err)
	}
	return c.Send(ctx, "this end only sends")
}

var Send = mp.Proc(send)

func main() {
	mp.Init()
	ctx := context.Background()

	recv, sender, err := mp.PipeOneWay[string]()
	if err != nil {
		log.Fatal(err)
	}
	p, err := Send.Start(ctx, sender)
	if err != nil {
		log.Fatal(err)
	}
	for msg, err := range recv.Drain(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("received:", msg)
	}
	if err := p.Wait(ctx); err != nil {
		log.Fatal(err)
	}

	// recv.Send(ctx, "hello") does not compile. A None does, and is refused.
	if err := recv.Send(ctx, mp.None{}); !errors.Is(err, mp.ErrDirection) {
		log.Fatalf("sending at the receiving end: %v", err)
	}
	fmt.Println("this end only receives")
}
