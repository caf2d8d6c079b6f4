// One child sends messages through a pipe, another receives them until it reads END.
//
//	conn.send(msg); print("Sent the message: {}".format(msg)) … conn.close()
//	msg = conn.recv(); if msg == "END": break
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
)

type end = *mp.Conn[string, string]

type job struct {
	Conn end
	Msgs []string
}

func send(ctx context.Context, j job) error {
	for _, msg := range j.Msgs {
		if err := j.Conn.Send(ctx, msg); err != nil {
			return err
		}
		fmt.Println("Sent the message:", msg)
	}
	return j.Conn.Close()
}

func receive(ctx context.Context, c end) error {
	for {
		msg, err := c.Recv(ctx)
		if err != nil {
			return err
		}
		if msg == "END" {
			return nil // pipe-eof shows how to do without such a word
		}
		fmt.Println("Received the message:", msg)
	}
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
	p1, err := Send.Start(ctx, job{Conn: a, Msgs: []string{"hello", "hey", "hru?", "END"}})
	if err != nil {
		log.Fatal(err)
	}
	p2, err := Receive.Start(ctx, b)
	if err != nil {
		log.Fatal(err)
	}
	if err := p1.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	if err := p2.Wait(ctx); err != nil {
		log.Fatal(err)
	}
}
