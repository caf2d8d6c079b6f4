// Four children send through the same end of a pipe at the same time, and nothing is torn.
//
// Python warns: "data in a pipe may become corrupted if two processes try to read from or
// write to the same end of the pipe at the same time". Here a message is sent whole.
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
)

const children, messages = 4, 250

type message struct {
	Child, N int
	Text     string
}

type job struct {
	Child int
	Conn  *mp.Conn[message, mp.None]
}

func send(ctx context.Context, j job) error {
	for n := range messages {
		if err := j.Conn.Send(ctx, message{j.Child, n, text(j.Child, n)}); err != nil {
			return err
		}
	}
	return nil
}

var Send = mp.Proc(send)

// text is of a length that depends on what it belongs to, as torn messages would show.
func text(child, n int) string {
	return fmt.Sprintf("%*d", 1+(child+n)%40, n)
}

func main() {
	mp.Init()
	ctx := context.Background()

	recv, sendEnd, err := mp.PipeOneWay[message]()
	if err != nil {
		log.Fatal(err)
	}
	var running []mp.Child
	for i := range children {
		c, err := sendEnd.Clone()
		if err != nil {
			log.Fatal(err)
		}
		p, err := Send.Start(ctx, job{Child: i, Conn: c})
		if err != nil {
			log.Fatal(err)
		}
		running = append(running, p)
	}
	// The last handle here: when the children have ended, so has the pipe.
	if err := sendEnd.Close(); err != nil {
		log.Fatal(err)
	}

	var received [children]int
	for m, err := range recv.Drain(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if m.N != received[m.Child] || m.Text != text(m.Child, m.N) {
			log.Fatalf("torn or out of order: %+v", m)
		}
		received[m.Child]++
	}
	for i, p := range running {
		if err := p.Wait(ctx); err != nil {
			log.Fatal(err)
		}
		fmt.Println("child", i, "sent, in order and whole:", received[i])
	}
}
