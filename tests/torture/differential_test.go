//go:build linux

package main

import (
	"bytes"
	"context"
	"log"
	"os"
	"strings"
	"testing"

	"multiproc/mp"
)

// faulty counts wrong from the third addition on.
type faulty struct{ N, Adds int }

func (*faulty) Close() error { return nil }

var miscounts = alike("faulty", func(...mp.Option) (*faulty, error) { return &faulty{}, nil }, func() *int { return new(int) },
	[]method[*faulty, *int]{
		{
			"Get", 1, func(_ context.Context, o *faulty, _ draw) (any, error) { return o.N, nil },
			func(m *int, _ draw) (any, error) { return *m, nil },
		},
		{"Add", 1, func(_ context.Context, o *faulty, _ draw) (any, error) {
			if o.Adds++; o.Adds != 3 {
				o.N++
			}
			return nil, nil
		}, func(m *int, _ draw) (any, error) { *m++; return nil, nil }},
	})

// Answers that differ are found, and the calls that have nothing to do with it left out.
func TestDifferenceIsFound(t *testing.T) {
	var out bytes.Buffer
	log.SetOutput(&out)
	defer log.SetOutput(os.Stderr)
	var sum tally
	if err := miscounts.compare(t.Context(), []place{{name: "nowhere"}}, 1, &sum); err == nil || sum.calls == 0 {
		t.Fatalf("%v, %+v", err, sum)
	}
	if got := out.String(); strings.Count(got, "Add(") != 3 || strings.Count(got, "Get(") != 1 ||
		!strings.HasSuffix(got, "= 3 by the model, 2 in nowhere\n") {
		t.Errorf("the shortest sequence is\n%s", got)
	}
}

// One sequence for every kind, everywhere.
func TestDifferential(t *testing.T) {
	e := &env{ctx: t.Context()}
	list, err := differential(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if err := c.round(t.Context(), 1, &c.sum); err != nil || c.sum.calls == 0 {
			t.Errorf("%s: %v, %+v", c.object, err, c.sum)
		}
	}
	if err := e.close(); err != nil {
		t.Error(err)
	}
}
