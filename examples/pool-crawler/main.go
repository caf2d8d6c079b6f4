// Items that lead to further items: a crawler follows links until there are no new ones.
//
//	todo = {executor.submit(fetch, start)}
//	while todo:
//	    done, todo = wait(todo, return_when=FIRST_COMPLETED)
//	    for f in done:
//	        todo |= {executor.submit(fetch, link) for link in f.result() if link not in seen}
//
// Workers fetch pages; the parent knows what has been seen, and submits what is new, at
// most so many at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"

	"multiproc/mp"
	"multiproc/pool"
)

// fetch returns the links of a page. The web is a made-up one: page n links to 2n and 3n+1,
// and ends at page 5000.
func fetch(_ context.Context, url string) (links []string, err error) {
	var n int
	if _, err := fmt.Sscanf(url, "/page/%d", &n); err != nil {
		return nil, err
	}
	if n > 5000 {
		return nil, fmt.Errorf("get %s: %w", url, fs.ErrNotExist)
	}
	return []string{fmt.Sprintf("/page/%d", 2*n), fmt.Sprintf("/page/%d", 3*n+1)}, nil
}

var Fetch = mp.Func(fetch)

const atOnce = 16 // pages under way

// page is what came of one.
type page struct {
	links []string
	err   error
}

func crawl(ctx context.Context, p *pool.Pool, start string) (pages, dead int, err error) {
	todo, seen := []string{start}, map[string]bool{start: true}
	fetched := make(chan page, atOnce)
	for under := 0; len(todo) > 0 || under > 0; {
		if len(todo) > 0 && under < atOnce {
			f, err := Fetch.Submit(ctx, p, todo[0])
			if err != nil {
				return pages, dead, err
			}
			todo = todo[1:]
			under++
			go func() {
				links, err := f.Result(ctx)
				fetched <- page{links, err}
			}()
			continue
		}
		got := <-fetched
		under--
		switch {
		case errors.Is(got.err, fs.ErrNotExist):
			dead++
			continue
		case got.err != nil:
			return pages, dead, got.err
		}
		pages++
		for _, link := range got.links {
			if !seen[link] {
				seen[link] = true
				todo = append(todo, link)
			}
		}
	}
	return pages, dead, nil
}

func main() {
	mp.Init()

	p, err := pool.New(pool.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	pages, dead, err := crawl(context.Background(), p, "/page/1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d pages, %d dead links\n", pages, dead)
}
