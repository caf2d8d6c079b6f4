// One child writes to a queue, another reads from it for ever; the parent stops the reader
// when the writer has ended.
//
//	pw.join()
//	pr.terminate()   # an endless loop: nothing else ends it
//
// The Python program sleeps after each put, and the reader has mostly printed the last
// value before it is terminated. This one waits until it has, and sleeps nowhere.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"multiproc/mp"
)

func write(ctx context.Context, q *mp.Queue[string]) error {
	fmt.Println("Process to write:", mp.Self().PID)
	for _, value := range []string{"A", "B", "C"} {
		fmt.Printf("Put %s to queue...\n", value)
		if err := q.Put(ctx, value); err != nil {
			return err
		}
	}
	return nil
}

// The loop has no end, but Get has: when the process is cancelled, ctx is.
func read(ctx context.Context, q *mp.Queue[string]) error {
	fmt.Println("Process to read:", mp.Self().PID)
	for {
		value, err := q.Get(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("Get %s from queue.\n", value)
		if err := q.TaskDone(ctx); err != nil { // this value is dealt with, see Join below
			return err
		}
	}
}

var (
	Write = mp.Proc(write)
	Read  = mp.Proc(read)
)

func main() {
	mp.Init()
	ctx := context.Background()

	q, err := mp.NewQueue[string](0)
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	writer, err := Write.Start(ctx, q)
	if err != nil {
		log.Fatal(err)
	}
	reader, err := Read.Start(ctx, q)
	if err != nil {
		log.Fatal(err)
	}
	if err := writer.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	if err := q.Join(ctx); err != nil { // until TaskDone was said for all that was put
		log.Fatal(err)
	}

	// Terminating is asking: the reader's context ends, and only a reader that does not
	// listen is killed, after a grace. What it then returns is what Wait reports.
	reader.Cancel(nil)
	if err := reader.Wait(ctx); !errors.Is(err, context.Canceled) {
		log.Fatalf("the reader was cancelled, but says: %v", err)
	}
}
