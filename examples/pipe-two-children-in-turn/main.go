// Two children use the same end of a two-way pipe, one after the other.
//
//	main_conn, sub_conn = Pipe()
//	conn.send("Hi I'm your subprocess. My ID is %d" % os.getpid()); conn.recv()
//	main_conn.recv(); main_conn.send("Remember I'm your Master")
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
)

type end = *mp.Conn[string, string]

func greet(ctx context.Context, c end) error {
	id := mp.Self().PID
	if err := c.Send(ctx, fmt.Sprintf("Hi I'm your subprocess. My ID is %d", id)); err != nil {
		return err
	}
	msg, err := c.Recv(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("ID %d receive main_process message: %s\n", id, msg)
	return c.Close()
}

var Greet = mp.Proc(greet)

func main() {
	mp.Init()
	ctx := context.Background()

	mainConn, subConn, err := mp.Pipe[string, string]()
	if err != nil {
		log.Fatal(err)
	}
	defer mainConn.Close()

	var children []mp.Child
	for range 2 {
		// The handle that a child gets moves there. A clone is a second handle to the same end.
		c, err := subConn.Clone()
		if err != nil {
			log.Fatal(err)
		}
		p, err := Greet.Start(ctx, c)
		if err != nil {
			log.Fatal(err)
		}
		children = append(children, p)

		msg, err := mainConn.Recv(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("I'm mainprocess, I receive my sub_process message:", msg)
		if err := mainConn.Send(ctx, "Remember I'm your Master"); err != nil {
			log.Fatal(err)
		}
	}
	if err := subConn.Close(); err != nil {
		log.Fatal(err)
	}
	if err := mp.WaitAll(ctx, children...); err != nil {
		log.Fatal(err)
	}
}
