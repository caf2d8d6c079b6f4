//go:build linux

package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"multiproc/mp"
	"multiproc/supervisor"
)

// Answer is a service in a process of its own.
var Answer = mp.Proc(answer)

func answer(ctx context.Context, questions *mp.Queue[question]) error {
	for q, err := range questions.Drain(ctx) {
		if err != nil {
			return err
		}
		if q.Text == "" {
			return errors.New("there is no question")
		}
		if err := q.Answer.Put(ctx, "why "+q.Text+"?"); err != nil {
			return err
		}
	}
	return nil
}

// question has a queue for its answer, where a program of one
// process would use a channel.
type question struct {
	Text   string
	Answer *mp.Queue[string]
}

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	questions, err := mp.NewQueue[question](100)
	if err != nil {
		log.Fatal(err)
	}
	answers, err := mp.NewQueue[string](100)
	if err != nil {
		log.Fatal(err)
	}
	s := supervisor.New(supervisor.Options{}, supervisor.Task("answers", Answer, questions))
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()

	for _, text := range []string{"not", "", "now"} { // the second one ends the process
		if err := questions.Put(ctx, question{text, answers}); err != nil {
			log.Fatal(err)
		}
	}
	for range 2 {
		text, err := answers.Get(ctx)
		fmt.Println(text, err)
	}
	stop()
	fmt.Println(<-done)
	// Output:
	// why not? <nil>
	// why now? <nil>
	// <nil>
}

func ExampleLog() {
	l := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	once := supervisor.Func("once", func(context.Context) error { return nil })
	s := supervisor.New(supervisor.Options{Observe: supervisor.Log(l)}, once.With(supervisor.Transient))
	fmt.Println(s.Run(context.Background()))
	// Output:
	// level=INFO msg=started service=once
	// level=INFO msg=ended service=once
	// level=INFO msg=finished service=once
	// <nil>
}

// A supervisor within another: what belongs together is started again together,
// and if that does not help, by whoever is responsible for more.
func ExampleFunc() {
	store := supervisor.Func("store", func(ctx context.Context) error { <-ctx.Done(); return nil })
	index := supervisor.Func("index", func(ctx context.Context) error { <-ctx.Done(); return nil })
	inner := supervisor.New(supervisor.Options{Strategy: supervisor.RestForOne}, store, index)
	outer := supervisor.New(supervisor.Options{Backoff: supervisor.Backoff{First: time.Second}},
		supervisor.Func("database", inner.Run))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	fmt.Println(outer.Run(ctx))
	// Output: <nil>
}

func ExampleService_Ready() {
	up := make(chan struct{})
	server := supervisor.Func("server", func(ctx context.Context) error {
		close(up) // it listens
		<-ctx.Done()
		return nil
	}).Ready(func(ctx context.Context) error {
		select {
		case <-up:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	client := supervisor.Func("client", func(ctx context.Context) error {
		<-up // at once: it is started when the server is ready
		return nil
	}).With(supervisor.Transient)
	ctx, cancel := context.WithCancel(context.Background())
	s := supervisor.New(supervisor.Options{Observe: func(e supervisor.Event) {
		fmt.Println(e)
		if e.Kind == supervisor.Finished {
			cancel()
		}
	}}, server, client)
	fmt.Println(s.Run(ctx))
	// Output:
	// server started
	// server ready
	// client started
	// client ended
	// client finished
	// server stopped
	// <nil>
}
