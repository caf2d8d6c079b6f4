// A cache of pages that several processes share: an entry lives for an hour from when it was
// set, or for as long as SetFor says, and nobody has to sweep.
//
//	cache = manager.dict()
//	page, until = cache.get(name, (None, 0))
//	if until < time.time(): cache[name] = render(name), time.time() + 3600
//
// In Python each reader has to look at the time, and what nobody asks for any more stays.
// Here an entry of which the time is up is not found, by no method and in no process, and
// its memory is given back.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"multiproc/mp"
)

var names = []string{"about", "contact", "news", "prices"}

// page is a page from the cache, or a new one.
func page(ctx context.Context, cache *mp.Dict[string, string], name string) (text string, found bool, err error) {
	text, err = cache.Get(ctx, name)
	if !errors.Is(err, mp.ErrNoKey) {
		return text, err == nil, err
	}
	text = "<h1>" + name + "</h1>" // what takes long
	return text, false, cache.Set(ctx, name, text)
}

// serve asks for all pages, and returns how many of them it had to render.
func serve(ctx context.Context, cache *mp.Dict[string, string]) (rendered int, err error) {
	for _, name := range names {
		_, found, err := page(ctx, cache, name)
		if err != nil {
			return rendered, err
		}
		if !found {
			rendered++
		}
	}
	return rendered, nil
}

var Serve = mp.Func(serve)

func main() {
	mp.Init()
	ctx := context.Background()

	cache, err := mp.NewDict[string, string](mp.WithTTL(time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()

	run := func(who string) {
		rendered, err := Serve.Run(ctx, cache)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %d rendered, %d from the cache\n", who, rendered, len(names)-rendered)
	}
	run("the first process")
	run("the second process")

	// What is news for a moment only.
	if err := cache.SetFor(ctx, "news", "<h1>Goal!</h1>", 5*time.Millisecond); err != nil {
		log.Fatal(err)
	}
	for found := true; found; {
		if found, err = cache.Has(ctx, "news"); err != nil {
			log.Fatal(err)
		}
	}
	n, err := cache.Len(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the news are over, %d pages are there\n", n)
	run("the third process")
}
