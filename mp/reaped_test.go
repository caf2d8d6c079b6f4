//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"multiproc/mp"
)

// reapsAll is a program that reaps whatever it can, as the first process of a
// container does, or that ignores SIGCHLD. It says what it hears of tasks.
func reapsAll() {
	mp.Init()
	if os.Getenv("MP_TEST_REAP") == "ignored" {
		signal.Ignore(syscall.SIGCHLD)
	} else {
		go func() {
			for {
				if _, err := syscall.Wait4(-1, nil, 0, nil); errors.Is(err, syscall.ECHILD) {
					// None at present. The next one will do.
					p := make(chan os.Signal, 1)
					signal.Notify(p, syscall.SIGCHLD)
					<-p
				}
			}
		}()
	}
	for _, ask := range []string{"value", "error", "panic", "exit"} {
		for range 1000 {
			p, err := Answer.Start(context.Background(), ask)
			if err != nil {
				fmt.Println("start:", err)
				return
			}
			v, err := p.Result(context.Background())
			if s := p.State(); s.Unknown {
				fmt.Printf("%s: %q %v | %v %d\n", ask, v, err, s, s.ExitCode)
				break
			}
			// It was reaped as usual, before the other could.
		}
	}
}

// Answer ends as it is told.
var Answer = mp.Func(answer)

func answer(_ context.Context, how string) (string, error) {
	switch how {
	case "error":
		return "", errMine
	case "panic":
		panic("at the disco")
	case "exit":
		os.Exit(0)
	}
	return how, nil
}

func TestReapedByOthers(t *testing.T) {
	for _, how := range []string{"ignored", "any child"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			out, _, code := output(t, "reapsall", "MP_TEST_REAP="+how)
			line := strings.Split(out, "\n")
			if code != 0 || len(line) != 5 {
				t.Fatalf("exit code %d\n%s", code, out)
			}
			for i, want := range []string{
				`value: "value" <nil> | exit code 0 by its answer, exit status unknown 0`,
				"| exit code 1 by its answer, exit status unknown 1",
				"| exit code 2 by its answer, exit status unknown 2",
				"ended without an answer: exit status unknown",
			} {
				if !strings.Contains(line[i], want) {
					t.Errorf("it says\n%s\nwant %q in it", line[i], want)
				}
			}
		})
	}
}
