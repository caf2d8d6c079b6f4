// A pipe that carries a list of mixed values one way and a string the other.
//
//	conn.send([42, None, 'hello'])
//	while True: print(conn.recv())
//	parent_conn.recv(); parent_conn.send('666'); p.terminate()
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/mp"
)

// The types of the two directions differ: the child sends lists and receives strings.
func answer(ctx context.Context, c *mp.Conn[[]any, string]) error {
	if err := c.Send(ctx, []any{42, nil, "hello"}); err != nil {
		return err
	}
	for text, err := range c.Drain(ctx) { // until the other end is closed
		if err != nil {
			return err
		}
		fmt.Println(text)
	}
	return nil
}

var Answer = mp.Proc(answer)

func main() {
	mp.Init()
	ctx := context.Background()

	parent, child, err := mp.Pipe[string, []any]()
	if err != nil {
		log.Fatal(err)
	}
	p, err := Answer.Start(ctx, child)
	if err != nil {
		log.Fatal(err)
	}
	list, err := parent.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(list)
	if err := parent.Send(ctx, "666"); err != nil {
		log.Fatal(err)
	}

	// Python terminates the child here, and with bad luck before it has printed 666. Closing
	// our end lets it read all that was sent and then leave its loop. (terminate-reader shows
	// the loop that must be cancelled.)
	if err := parent.Close(); err != nil {
		log.Fatal(err)
	}
	if err := p.Wait(ctx); err != nil {
		log.Fatal(err)
	}
}
