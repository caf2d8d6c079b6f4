// Receiving from a closed pipe ends with io.EOF, whether the sender closed its end, ended
// or was killed.
//
//	try: conn.recv()
//	except EOFError: …
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"syscall"

	"multiproc/mp"
)

type job struct {
	Conn *mp.Conn[string, mp.None] // sends strings, receives nothing
	Hang bool
}

func send(ctx context.Context, j job) error {
	for _, msg := range []string{"one", "two"} {
		if err := j.Conn.Send(ctx, msg); err != nil {
			return err
		}
	}
	if j.Hang {
		<-ctx.Done()
	}
	return j.Conn.Close() // the end of the process would do as well
}

var Send = mp.Proc(send)

// receive reads what comes and calls then after every message. What was sent before the
// end of the sender, however it ended, is all there.
func receive(ctx context.Context, c *mp.Conn[mp.None, string], then func(msg string) error) error {
	for {
		msg, err := c.Recv(ctx)
		if errors.Is(err, io.EOF) {
			fmt.Println("end of file")
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Println("received", msg)
		if err := then(msg); err != nil {
			return err
		}
	}
}

func main() {
	mp.Init()
	ctx := context.Background()

	recv, send, err := mp.PipeOneWay[string]()
	if err != nil {
		log.Fatal(err)
	}
	p, err := Send.Start(ctx, job{Conn: send})
	if err != nil {
		log.Fatal(err)
	}
	if err := receive(ctx, recv, func(string) error { return nil }); err != nil {
		log.Fatal(err)
	}
	if err := p.Wait(ctx); err != nil {
		log.Fatal(err)
	}

	// The same with a sender that never closes: it is killed after its second message.
	recv, send, err = mp.PipeOneWay[string]()
	if err != nil {
		log.Fatal(err)
	}
	p, err = Send.Start(ctx, job{Conn: send, Hang: true})
	if err != nil {
		log.Fatal(err)
	}
	err = receive(ctx, recv, func(msg string) error {
		if msg == "two" {
			return p.Kill()
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	var exit *mp.ExitError
	if err := p.Wait(ctx); !errors.As(err, &exit) || exit.State.Signal != syscall.SIGKILL {
		log.Fatalf("the sender was killed, but Wait says: %v", err)
	}
	fmt.Println("the sender was killed")
}
