// Command server is the manager that the interoperation tests talk to: it
// offers what CPython's test suite registers and calls, written in Go.
package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"iter"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"multiproc/manager"
)

// FooBar is the suite's class of that name.
type FooBar struct{}

// F returns what the suite expects.
func (*FooBar) F() string { return "f()" }

// G fails as the suite expects.
func (*FooBar) G() error { return manager.NewException("builtins.ValueError") }

// H is _h in Python, which only the type Bar exposes.
func (*FooBar) H() string { return "_h()" }

func newFooBar() *FooBar { return &FooBar{} }

// baz is a generator of squares.
func baz() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range 10 {
			if !yield(i * i) {
				return
			}
		}
	}
}

const module = "test._test_multiprocessing."

// sqr is sqr(x, wait=0.0, event=None): it waits and squares. The suite sets the
// event only to end the wait early, which the end of the pool does here.
func sqr(ctx context.Context, x int, rest ...any) (int, error) {
	if len(rest) > 0 {
		seconds, ok := rest[0].(float64)
		if !ok {
			return 0, manager.NewException("builtins.TypeError", "wait must be a float")
		}
		if err := pause(ctx, seconds); err != nil {
			return 0, err
		}
	}
	return x * x, nil
}

// toInt is int() of nothing, an int or a text.
func toInt(args ...any) (int, error) {
	if len(args) == 0 {
		return 0, nil
	}
	n, err := strconv.Atoi(fmt.Sprint(args[0]))
	if err != nil {
		return 0, manager.NewException("builtins.ValueError", fmt.Sprintf("invalid literal for int() with base 10: %q", args[0]))
	}
	return n, nil
}

func pause(ctx context.Context, seconds float64) error {
	t := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func register() {
	manager.Register("Foo", newFooBar, manager.Expose(map[string]string{"f": "F", "g": "G"}))
	manager.Register("Bar", newFooBar, manager.Expose(map[string]string{"f": "F", "_h": "H"}))
	manager.Register("baz", baz)
	manager.RegisterFunc("time.sleep", pause)
	manager.RegisterFunc("builtins.int", toInt)
	// The suite is the module of that name, or the program that runs it.
	for _, m := range []string{module, "__main__."} {
		manager.RegisterFunc(m+"sqr", sqr, "x", "wait", "event")
		manager.RegisterFunc(m+"mul", func(x, y int) int { return x * y })
		manager.RegisterFunc(m+"identity", func(x any) any { return x })
		manager.RegisterFunc(m+"raise_large_valuerror", func(ctx context.Context, wait float64) error {
			if err := pause(ctx, wait); err != nil {
				return err
			}
			return manager.NewException("builtins.ValueError", strings.Repeat("x", 1<<20))
		})
		manager.RegisterFunc(m+"WithManagerTestPool._test_wrapped_exception", func() error {
			return manager.NewException("builtins.RuntimeError", "foo")
		})
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "where to listen")
	hexkey := flag.String("hexkey", "", "file with the key in hexadecimal digits")
	flag.Parse()
	register()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *listen, *hexkey); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, address, keyFile string) error {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	l, err := manager.Listen(address)
	if err != nil {
		return err
	}
	fmt.Println("listening on", manager.AddressOf(l))
	return manager.Serve(ctx, l, manager.Options{Authkey: key})
}
