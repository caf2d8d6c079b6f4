// Command tour runs the example programs, each in a process of its own that starts others,
// and shows what each is about, what it prints and how long it took. It ends with a summary,
// and with a code other than zero if one of them fails or does not print what its want.txt
// promises.
//
//	go run ./examples/tour
//	go run multiproc/examples/tour -run 'queue-.*'
//	go run multiproc/examples/tour -list
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"time"

	"multiproc/examples"
)

// No example takes a second. One that takes this long hangs.
const timeLimit = time.Minute

func main() {
	log.SetFlags(0)
	pick := flag.String("run", "", "run only the examples whose name matches this `regexp`")
	list := flag.Bool("list", false, "list the names and run nothing")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}

	all, err := chosen(*pick)
	if err != nil {
		log.Fatal("tour: ", err)
	}
	if *list {
		for _, e := range all {
			fmt.Println(e.Name)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	began := time.Now()
	done, err := tour(ctx, os.Stdout, all)
	if err != nil {
		log.Fatal("tour: ", err)
	}
	if !summary(os.Stdout, done, time.Since(began)) {
		os.Exit(1)
	}
}

func chosen(pick string) ([]examples.Example, error) {
	all, err := examples.All()
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(pick)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(e examples.Example) bool { return !re.MatchString(e.Name) })
	if len(all) == 0 {
		return nil, fmt.Errorf("no example matches %q", pick)
	}
	return all, nil
}

// result is how an example ended.
type result struct {
	examples.Example
	took time.Duration
	err  error
}

// tour runs all of them, one after the other.
func tour(ctx context.Context, w io.Writer, all []examples.Example) (done []result, err error) {
	dir, err := os.MkdirTemp("", "tour")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(w, "building %d programs\n\n", len(all))
	if err := examples.Build(ctx, dir, all); err != nil {
		return nil, err
	}
	for i, e := range all {
		fmt.Fprintf(w, "[%d/%d] %s: %s\n", i+1, len(all), e.Name, e.Shows)
		one, cancel := context.WithTimeout(ctx, timeLimit)
		began := time.Now()
		output, err := e.Run(one, dir)
		r := result{e, time.Since(began), err}
		cancel()
		fmt.Fprint(w, indent(output))
		if ctx.Err() != nil {
			return done, context.Cause(ctx)
		}
		if err != nil {
			fmt.Fprintf(w, "FAILED after %s: %v\n\n", short(r.took), err)
		} else {
			fmt.Fprintf(w, "ok, %s\n\n", short(r.took))
		}
		done = append(done, r)
	}
	return done, nil
}

// summary says how it went, and reports whether all went well.
func summary(w io.Writer, done []result, took time.Duration) bool {
	width, failed := 0, 0
	for _, r := range done {
		width = max(width, len(r.Name))
	}
	for _, r := range done {
		how := "ok"
		if r.err != nil {
			how = "FAILED"
			failed++
		}
		fmt.Fprintf(w, "%-6s  %-*s  %7s\n", how, width, r.Name, short(r.took))
	}
	if failed > 0 {
		fmt.Fprintf(w, "\n%d of %d programs failed; above stands what they printed and what was expected\n", failed, len(done))
		return false
	}
	fmt.Fprintf(w, "\nall %d programs did what they promise, in %s, building included; their sources are in examples/\n", len(done), short(took))
	return true
}

func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

func indent(text string) string {
	var s strings.Builder
	for line := range strings.Lines(text) {
		s.WriteString("    " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return s.String()
}
