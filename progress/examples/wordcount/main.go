// The words in the Go files of a directory are counted by worker processes, with a
// progress bar, and the most frequent ones are printed:
//
//	go run multiproc/progress/examples/wordcount [DIR]
//
// Without DIR it is the source of Go itself, `go env GOROOT`. Run it with its standard
// error in a file, and the bar is a few lines of text.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"multiproc/mp"
	"multiproc/pool"
	"multiproc/progress"
)

func countWords(_ context.Context, file string) (map[string]int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	words := map[string]int{}
	between := func(r rune) bool { return !unicode.IsLetter(r) }
	for word := range strings.FieldsFuncSeq(string(text), between) {
		words[strings.ToLower(word)]++
	}
	return words, nil
}

var CountWords = mp.Func(countWords)

func main() {
	mp.Init()
	dir := ""
	if len(os.Args) > 1 {
		dir = os.Args[1]
	} else {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			log.Fatal(err)
		}
		dir = strings.TrimSpace(string(out))
	}
	if err := run(context.Background(), os.Stdout, os.Stderr, dir); err != nil {
		log.Fatal(err)
	}
}

// run counts, and prints the result to out. The bar is on bars.
func run(ctx context.Context, out, bars io.Writer, dir string) error {
	files, err := find(dir)
	if err != nil {
		return err
	}
	p, err := pool.New(pool.Options{}) // a worker for each processor
	if err != nil {
		return err
	}
	defer p.Close()

	bar := progress.New(bars, progress.Options{Name: "counting", Total: len(files)})
	defer bar.Close()
	note := bar.Above(bars)
	total := map[string]int{}
	for words, err := range CountWords.Map(ctx, p.With(pool.Call{Observe: bar.Observe}), slices.Values(files)) {
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil { // this file cannot be read: the others can
			_, _ = fmt.Fprintln(note, err)
		}
		for word, n := range words {
			total[word] += n
		}
	}
	if err := bar.Close(); err != nil {
		return err
	}

	most := slices.SortedFunc(maps.Keys(total), func(a, b string) int {
		return cmp.Or(cmp.Compare(total[b], total[a]), cmp.Compare(a, b))
	})
	for _, word := range most[:min(len(most), 10)] {
		if _, err := fmt.Fprintf(out, "%7d %s\n", total[word], word); err != nil {
			return err
		}
	}
	return nil
}

// find lists the Go files below a directory.
func find(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return err
	})
	return files, err
}
