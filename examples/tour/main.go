// Command tour runs the example programs, each in a process of its own that starts others,
// and shows what they print. It ends with a code other than zero if one of them fails or
// does not print what its want.txt promises.
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
const patience = time.Minute

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
	failed, err := tour(ctx, os.Stdout, all)
	if err != nil {
		log.Fatal("tour: ", err)
	}
	if len(failed) > 0 {
		log.Fatalf("tour: %d of %d examples failed: %s", len(failed), len(all), strings.Join(failed, ", "))
	}
	fmt.Printf("%d of %d examples printed what they promise\n", len(all), len(all))
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

// tour runs all of them, one after the other, and returns the names of those that failed.
func tour(ctx context.Context, w io.Writer, all []examples.Example) (failed []string, err error) {
	dir, err := os.MkdirTemp("", "tour")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := examples.Build(ctx, dir, all); err != nil {
		return nil, err
	}
	for _, e := range all {
		fmt.Fprintln(w, "==", e.Name)
		one, cancel := context.WithTimeout(ctx, patience)
		output, err := e.Run(one, dir)
		cancel()
		fmt.Fprintln(w, indent(output))
		if ctx.Err() != nil {
			return failed, context.Cause(ctx)
		}
		if err != nil {
			fmt.Fprintf(w, "FAILED %s: %v\n\n", e.Name, err)
			failed = append(failed, e.Name)
		}
	}
	return failed, nil
}

func indent(text string) string {
	var s strings.Builder
	for line := range strings.Lines(text) {
		s.WriteString("   " + line)
	}
	return s.String()
}
