//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"multiproc/mp"
)

// Tasks are functions of one argument, in package-level variables.
var (
	Square = mp.Func(square)
	Greet  = mp.Proc(greet)
	Refuse = mp.Proc(refuse)
)

func square(_ context.Context, n int) (int, error) { return n * n, nil }

func greet(_ context.Context, name string) error {
	fmt.Println("hello,", name)
	return nil
}

// ErrSoldOut keeps its identity on the way from one process to another.
var ErrSoldOut = errors.New("no tickets left")

func init() { mp.RegisterError("example.ErrSoldOut", ErrSoldOut) }

func refuse(context.Context, int) error { return fmt.Errorf("seat 7: %w", ErrSoldOut) }

func ExampleTask_Run() {
	// mp.Init() is the first line of main; in tests mptest.Main calls it.
	n, err := Square.Run(context.Background(), 12)
	fmt.Println(n, err)
	// Output: 144 <nil>
}

func ExampleTask_Start() {
	p, err := Greet.Start(context.Background(), "bob")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Wait(context.Background()))
	// Output:
	// hello, bob
	// <nil>
}

func ExampleRegisterError() {
	_, err := Refuse.Run(context.Background(), 1)
	fmt.Println(errors.Is(err, ErrSoldOut))
	// Output: true
}

func ExampleQueue() {
	ctx := context.Background()
	q, err := mp.NewQueue[int](9)
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	p, err := PutNumbers.Start(ctx, numbers{Q: q, First: 1, N: 3})
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	// The putter is gone, what it has put is not.
	if err := q.CloseWrite(ctx); err != nil {
		log.Fatal(err)
	}
	for v, err := range q.Drain(ctx) {
		fmt.Println(v, err)
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}

func ExamplePipe() {
	ctx := context.Background()
	mine, theirs, err := mp.Pipe[[]byte, []byte]()
	if err != nil {
		log.Fatal(err)
	}
	defer mine.Close()
	p, err := Mirror.Start(ctx, theirs) // theirs moves to the child
	if err != nil {
		log.Fatal(err)
	}
	if err := mine.Send(ctx, []byte("echo")); err != nil {
		log.Fatal(err)
	}
	b, err := mine.Recv(ctx)
	fmt.Printf("%s %v\n", b, err)
	if err := mine.CloseWrite(); err != nil {
		log.Fatal(err)
	}
	_, err = mine.Recv(ctx)
	fmt.Println(errors.Is(err, io.EOF), p.Wait(ctx))
	// Output:
	// echo <nil>
	// true <nil>
}

func ExampleValue_Update() {
	v, err := mp.NewValue(40)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	ctx := context.Background()
	if err := v.Update(ctx, func(n *int) error { *n += 2; return nil }); err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.Load(ctx))
	// Output: 42 <nil>
}

func ExampleArray() {
	ctx := context.Background()
	a, err := mp.ArrayOf[int64](1, 2, 3, 4)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	if _, err := RunningSum.Run(ctx, a); err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Copy(ctx))
	// Output: [1 3 6 10] <nil>
}

func ExampleSelect() {
	ctx := context.Background()
	q, err := mp.NewQueue[string](1)
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	p, err := Greet.Start(ctx, "select")
	if err != nil {
		log.Fatal(err)
	}
	ready, err := mp.Select(ctx, q, p)
	fmt.Println(ready, err)
	// Output:
	// hello, select
	// [1] <nil>
}
