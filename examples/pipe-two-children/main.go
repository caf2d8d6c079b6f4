// A pipe between two children: one sends, the other receives and prints.
//
//	pp = multiprocessing.Pipe()
//	p1 = Process(target=func1, args=("PolarSnow", pp[0]))   # pp.send(arg)
//	p2 = Process(target=func2, args=(pp[1],))               # print(pp.recv())
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
)

// end is one end of a pipe that carries strings both ways.
type end = *mp.Conn[string, string]

type job struct {
	Text string
	Conn end
}

func send(ctx context.Context, j job) error {
	return j.Conn.Send(ctx, j.Text)
}

func receive(ctx context.Context, c end) error {
	text, err := c.Recv(ctx)
	if err != nil {
		return err
	}
	fmt.Println(text)
	return nil
}

var (
	Send    = mp.Proc(send)
	Receive = mp.Proc(receive)
)

func main() {
	mp.Init()
	ctx := context.Background()

	a, b, err := mp.Pipe[string, string]()
	if err != nil {
		log.Fatal(err)
	}

	// An end that is given to a child moves there: this process has nothing left to close.
	// In Python it keeps a copy, and a forgotten copy means that nobody ever sees the end.
	sender, err := Send.Start(ctx, job{Text: "PolarSnow", Conn: a})
	if err != nil {
		log.Fatal(err)
	}
	receiver, err := Receive.Start(ctx, b)
	if err != nil {
		log.Fatal(err)
	}
	if err := sender.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	if err := receiver.Wait(ctx); err != nil {
		log.Fatal(err)
	}
}
