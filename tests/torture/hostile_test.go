//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"multiproc/mp"
)

// One round for each kind that has a structure of its own.
func TestHostile(t *testing.T) {
	for i, k := range kinds {
		switch k.name {
		case "dict of anything", "queue", "mutex", "rwmutex", "array of structs":
			var sum tally
			if err := hunt(t.Context(), i, 1, &sum); err != nil || sum.calls == 0 || sum.flips == 0 {
				t.Errorf("%s: %v, %+v", k.name, err, sum)
			}
		}
	}
}

var (
	Crashes = mp.Proc(crashes)
	Hangs   = mp.Proc(hangs)
)

func crashes(context.Context, mp.None) error { os.Exit(2); return nil }

func hangs(context.Context, mp.None) error { select {} }

// A crash is found, and so is a call that does not end.
func TestEnding(t *testing.T) {
	p, err := Crashes.With(frank()).Start(t.Context(), mp.None{})
	if err != nil {
		t.Fatal(err)
	}
	var exit *mp.ExitError
	if err := ending(t.Context(), p, enduring); !errors.As(err, &exit) {
		t.Errorf("of a crash: %v", err)
	}
	q, err := Hangs.With(frank()).Start(t.Context(), mp.None{})
	if err != nil {
		t.Fatal(err)
	}
	if err := ending(t.Context(), q, time.Millisecond); err == nil {
		t.Error("a process that hangs has ended well")
	}
	<-q.Done()
}
