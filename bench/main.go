// Bench measures what this project promises about speed, side by side with what people use instead.
//
//	go run multiproc/bench [-rounds 5] [-only REGEXP] [-short] [-out FILE] [-require python,cc,go,…]
//
// Everything runs in one interleaved run: in each round ours and its peers follow each other directly, and the table
// shows medians over the rounds and what ours is beside each peer. The ratios are what counts; the times are this
// machine's. The table is written to bench/results/DATE-CPU.txt too, unless -short or -only left something out.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/bench/internal/machine"
	"multiproc/bench/peers"
)

func main() {
	exitIfBare()
	initOurs()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// settings are the command line.
type settings struct {
	rounds  int
	only    *regexp.Regexp
	short   bool
	out     string
	require []string
}

func parse(args []string, usage io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(usage)
	f.IntVar(&s.rounds, "rounds", 5, "measure everything so many times")
	only := f.String("only", "", "measure only the rows that match `regexp`")
	f.BoolVar(&s.short, "short", false, "one round of tiny counts: shows that everything runs, measures nothing")
	f.StringVar(&s.out, "out", "", "write the table to `file` as well")
	require := f.String("require", "", "fail without these `kinds` of peers: "+strings.Join(peers.Kinds, ","))
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if s.rounds < 1 {
		return s, fmt.Errorf("-rounds %d: at least one", s.rounds)
	}
	if s.short {
		s.rounds = 1
	}
	if *require != "" {
		s.require = strings.Split(*require, ",")
	}
	var err error
	s.only, err = regexp.Compile(*only)
	if s.out == "" && *only == "" && !s.short {
		s.out = defaultOut(time.Now())
	}
	return s, err
}

// defaultOut is a file in bench/results, seen from the project's root or from bench itself; elsewhere there is none.
func defaultOut(now time.Time) string {
	for _, bench := range []string{"bench", "."} {
		if _, err := os.Stat(filepath.Join(bench, "peers", "peers.go")); err == nil {
			return filepath.Join(bench, "results", now.Format("2006-01-02")+"-"+machine.Slug(machine.CPU())+".txt")
		}
	}
	return ""
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	s, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	kit, err := peers.Open()
	if err != nil {
		return err
	}
	defer func() {
		if closed := kit.Close(); err == nil {
			err = closed
		}
	}()
	if s.short && !slices.Contains(s.require, "go") {
		kit.Skip("go", "left out by -short, its dependencies take long to build")
	}
	if err := kit.Require(ctx, s.require...); err != nil {
		return err
	}
	began := time.Now()
	results := harness.Measure(ctx, s.chosen(rows(kit)), harness.Options{
		Rounds: s.rounds,
		Short:  s.short,
		Limit:  time.Minute,
		Progress: func(round int, row, peer string) {
			fmt.Fprintf(stderr, "round %d of %d: %s: %s\n", round+1, s.rounds, row, peer)
		},
	})
	if err := report(ctx, s, began, results, stdout); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped early: %w", err)
	}
	return harness.Failed(results)
}

func (s settings) chosen(all []harness.Row) []harness.Row {
	return slices.DeleteFunc(all, func(r harness.Row) bool { return !s.only.MatchString(r.Name) })
}

// report prints the table and keeps it in the file that the settings name.
func report(ctx context.Context, s settings, began time.Time, results []harness.Result, stdout io.Writer) error {
	var b bytes.Buffer
	// The header's commands must run even when the table is all that an interrupted run leaves.
	b.WriteString(machine.Header(context.WithoutCancel(ctx), began, commandLine()))
	fmt.Fprintf(&b, "%-8s %d rounds in %v\n\n", "run:", s.rounds, time.Since(began).Round(time.Second))
	if err := harness.WriteTable(&b, results); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\ntargets missed: %d\n", harness.Missed(results))
	if _, err := stdout.Write(b.Bytes()); err != nil {
		return err
	}
	if s.out == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.out, b.Bytes(), 0o644)
}

// commandLine names the command as people type it, not the temporary file that go run made.
func commandLine() []string {
	return append([]string{"go run multiproc/bench"}, os.Args[1:]...)
}
