// The words of some texts are counted by worker processes, a file at a time, and the most
// frequent ones printed.
//
//	with Pool() as pool:
//	    for words in pool.imap(count_words, files):
//	        total.update(words)
//
// Map takes the files one after the other and gives the results in their order. Only so
// many are under way as the workers need; files may be millions, or have no end.
package main

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"slices"
	"strings"
	"unicode"

	"multiproc/mp"
	"multiproc/pool"
)

//go:embed texts/*.txt
var texts embed.FS // each worker is this program, and has them too

func countWords(_ context.Context, file string) (map[string]int, error) {
	text, err := texts.ReadFile(file) // os.ReadFile for files on disk
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
	ctx := context.Background()

	files, err := fs.Glob(texts, "texts/*.txt")
	if err != nil {
		log.Fatal(err)
	}
	p, err := pool.New(pool.Options{}) // a worker for each processor
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	total := map[string]int{}
	for words, err := range CountWords.Map(ctx, p, slices.Values(files)) {
		if err != nil {
			log.Fatal(err)
		}
		for word, n := range words {
			total[word] += n
		}
	}

	most := slices.SortedFunc(maps.Keys(total), func(a, b string) int {
		return cmp.Or(cmp.Compare(total[b], total[a]), cmp.Compare(a, b))
	})
	fmt.Printf("%d files, %d different words\n", len(files), len(total))
	for _, word := range most[:10] {
		fmt.Printf("%4d %s\n", total[word], word)
	}
}
