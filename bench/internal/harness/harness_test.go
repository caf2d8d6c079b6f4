package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// constant is a contestant that always measures v.
func constant(peer string, v float64) Contestant {
	return Contestant{Peer: peer, N: 10, Short: 1, Run: func(context.Context, int) (float64, error) { return v, nil }}
}

func TestMeasureInterleaves(t *testing.T) {
	var order []string
	record := func(peer string) Contestant {
		return Contestant{Peer: peer, N: 10, Short: 1, Run: func(_ context.Context, n int) (float64, error) {
			order = append(order, fmt.Sprintf("%s%d", peer, n))
			return 1, nil
		}}
	}
	rows := []Row{{Name: "x", Contestants: []Contestant{record("a"), record("b")}}, {Name: "y", Contestants: []Contestant{record("c")}}}
	Measure(t.Context(), rows, Options{Rounds: 2})
	if want := []string{"a10", "b10", "c10", "b10", "a10", "c10"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	order = nil
	Measure(t.Context(), rows, Options{Rounds: 1, Short: true})
	if want := []string{"a1", "b1", "c1"}; !slices.Equal(order, want) {
		t.Errorf("short order %v, want %v", order, want)
	}
}

func TestMeasureAsksTheAbsentOnce(t *testing.T) {
	asked := 0
	gone := Contestant{Peer: "gone", Run: func(context.Context, int) (float64, error) {
		asked++
		return 0, fmt.Errorf("no compiler: %w", ErrAbsent)
	}}
	flaky := Contestant{Peer: "flaky", Run: func(context.Context, int) (float64, error) { return 0, errors.New("tripped") }}
	res := Measure(t.Context(), []Row{{Name: "x", Contestants: []Contestant{gone, flaky}}}, Options{Rounds: 3})
	if asked != 1 {
		t.Errorf("the absent peer was asked %d times", asked)
	}
	if err := Failed(res); err == nil || err.Error() != "x: flaky: tripped" {
		t.Errorf("Failed = %v, want the flaky peer's error alone", err)
	}
	if s, _ := res[0].Find("flaky"); s.Failed != 3 {
		t.Errorf("the failing peer failed %d times, want 3", s.Failed)
	}
}

func TestMeasureStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stop := Contestant{Peer: "a", Run: func(context.Context, int) (float64, error) { cancel(); return 1, nil }}
	res := Measure(ctx, []Row{{Name: "x", Contestants: []Contestant{stop, constant("b", 2)}}}, Options{Rounds: 9})
	if a, b := len(res[0].Series[0].Values), len(res[0].Series[1].Values); a != 1 || b != 0 {
		t.Errorf("%d and %d values after the end of the context, want 1 and 0", a, b)
	}
}

func TestMeasureLimitsEachContestant(t *testing.T) {
	forever := Contestant{Peer: "a", Run: func(ctx context.Context, _ int) (float64, error) { <-ctx.Done(); return 0, ctx.Err() }}
	res := Measure(t.Context(), []Row{{Name: "x", Contestants: []Contestant{forever, constant("b", 2)}}}, Options{Rounds: 1, Limit: 1})
	if err := res[0].Series[0].Err; err == nil || err.Error() != "not done after 1ns" {
		t.Errorf("the endless contestant ended with %v", err)
	}
	if len(res[0].Series[1].Values) != 1 {
		t.Error("the next contestant was not measured")
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name   string
		ours   float64
		peer   float64
		target Target
		want   string
	}{
		{"fast enough", 100, 8000, Faster("p", 80), "ok"},
		{"not fast enough", 100, 4000, Faster("p", 80), "MISSED by 2.00x"},
		{"close enough", 80, 10, Within("p", 8), "ok"},
		{"too far", 96, 10, Within("p", 8), "MISSED by 1.20x"},
		{"low enough", 0.04, 0, Below(0.05), "ok"},
		{"too high", 0.10, 0, Below(0.05), "MISSED by 2.00x"},
		{"just the most", 66, 0, AtMost(66), "ok"},
		{"more than the most", 99, 0, AtMost(66), "MISSED by 1.50x"},
		{"nothing at all", 0, 0, Below(0.05), "ok"},
		{"nobody there", 1, 1, Faster("q", 2), "not measured"},
	} {
		row := Row{Contestants: []Contestant{constant(Ours, c.ours), constant("p", c.peer)}, Targets: []Target{c.target}}
		res := Measure(t.Context(), []Row{row}, Options{Rounds: 3})
		v := res[0].Judge(c.target)
		if v.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, v, c.want)
		}
		if missed := Missed(res); (missed == 1) != strings.HasPrefix(c.want, "MISSED") {
			t.Errorf("%s: %d targets missed", c.name, missed)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		unit Unit
		v    float64
		want string
	}{
		{Seconds, 0, "0.00 ns"},
		{Seconds, 5.12e-9, "5.12 ns"},
		{Seconds, 98.4e-9, "98.4 ns"},
		{Seconds, 999.6e-9, "1000 ns"},
		{Seconds, 62.5e-6, "62.5 µs"},
		{Seconds, 1.6e-3, "1.60 ms"},
		{Seconds, 12, "12.0 s"},
		{Bytes, -20, "-20.0 B"},
		{Bytes, 4096, "4.00 KiB"},
		{Bytes, 3 << 20, "3.00 MiB"},
		{Count, 66, "66"},
		{Count, 1e6, "1000000"},
	} {
		if got := c.unit.Format(c.v); got != c.want {
			t.Errorf("Format(%g) = %q, want %q", c.v, got, c.want)
		}
	}
}

func TestWriteTable(t *testing.T) {
	absent := Contestant{Peer: "c ring", Run: func(context.Context, int) (float64, error) {
		return 0, fmt.Errorf("no cc on PATH: %w", ErrAbsent)
	}}
	rows := []Row{{
		Name:        "queue int64",
		Contestants: []Contestant{constant(Ours, 100e-9), constant("cpython", 9e-6), absent, constant("go", 50e-9)},
		Targets:     []Target{Faster("cpython", 80), Within("c ring", 8)},
	}, {
		Name:        "resident",
		Unit:        Bytes,
		Contestants: []Contestant{constant(Ours, 16384), constant("go", 4<<20)},
		Targets:     []Target{Below(8192)},
	}}
	var out strings.Builder
	if err := WriteTable(&out, Measure(t.Context(), rows, Options{Rounds: 1})); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"work         peer     median    ours is       must be        verdict          rounds",
		"queue int64  ours     100 ns                                                  100 ns … 100 ns",
		"             cpython  9.00 µs   90.0x faster  >= 80x faster  ok               9.00 µs … 9.00 µs",
		"             c ring   –                       <= 8x slower   not measured     no cc on PATH: absent",
		"             go       50.0 ns   2.00x slower                                  50.0 ns … 50.0 ns",
		"resident     ours     16.0 KiB                < 8.00 KiB     MISSED by 2.00x  16.0 KiB … 16.0 KiB",
		"             go       4.00 MiB  256x less                                     4.00 MiB … 4.00 MiB",
		"",
	}, "\n")
	if out.String() != want {
		t.Errorf("table:\n%s\nwant:\n%s", out.String(), want)
	}
}
