// A rate limiter that the processes of a prefork server share: each client may send ten
// requests at once, and one more an hour, whichever process its connections come to.
//
//	limits = Manager().dict()                    # a round trip to a server for each request,
//	with lock: limits[client] = …                # and a lock that a killed process keeps
//
// Here the dictionary lives in memory, and Update changes one entry with no lock at all: a
// process that is killed in the middle has taken a token or has not.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"multiproc/mp"
	_ "multiproc/mp/mpnet" // sockets travel
)

const (
	burst = 10
	every = time.Hour
)

// bucket is what a client has left: full until Full, one token less for each time that
// this is ahead of now.
type bucket struct{ Full time.Time }

// allow takes a token, and reports whether there was one.
func allow(ctx context.Context, limits *mp.Dict[string, bucket], client string) (ok bool, err error) {
	now := time.Now()
	err = limits.Update(ctx, client, func(b *bucket) error {
		next := b.Full
		if next.Before(now) {
			next = now
		}
		next = next.Add(every)
		if ok = next.Sub(now) <= burst*every; ok {
			b.Full = next
		}
		return nil
	})
	return ok, err
}

type server struct {
	Listener *net.TCPListener
	Limits   *mp.Dict[string, bucket]
}

// serve answers requests until the process is told to end, and returns how many it let
// through.
func serve(ctx context.Context, s server) (served int, err error) {
	var mu sync.Mutex
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ok, err := allow(r.Context(), s.Limits, r.Header.Get("Client"))
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		case !ok:
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			mu.Lock()
			served++
			mu.Unlock()
		}
	})
	web := &http.Server{Handler: h}
	stop := context.AfterFunc(ctx, func() { web.Close() })
	defer stop()
	if err := web.Serve(s.Listener); err != http.ErrServerClosed {
		return 0, err
	}
	mu.Lock()
	defer mu.Unlock()
	return served, nil
}

var Serve = mp.Func(serve)

// ask sends one request on a connection of its own.
func ask(address, client string) (status int, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: here\r\nClient: %s\r\nConnection: close\r\n\r\n", client)
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	return r.StatusCode, r.Body.Close()
}

func main() {
	mp.Init()
	ctx := context.Background()

	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	limits, err := mp.NewDict[string, bucket]()
	if err != nil {
		log.Fatal(err)
	}
	defer limits.Close()
	var children []*mp.Process[int]
	for range 3 {
		p, err := Serve.Start(ctx, server{l, limits})
		if err != nil {
			log.Fatal(err)
		}
		children = append(children, p)
	}

	clients := []struct {
		name     string
		requests int
	}{{"alice", 60}, {"bob", 4}}
	granted := make([]int, len(clients))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, c := range clients {
		for range c.requests {
			wg.Go(func() {
				status, err := ask(l.Addr().String(), c.name)
				if err != nil || status != http.StatusOK && status != http.StatusTooManyRequests {
					log.Fatal(status, err)
				}
				if status == http.StatusOK {
					mu.Lock()
					granted[i]++
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	for i, c := range clients {
		fmt.Printf("%s sent %d requests, and %d were served\n", c.name, c.requests, granted[i])
	}
	sum := 0
	for _, p := range children {
		p.Cancel(nil)
		served, err := p.Result(ctx)
		if err != nil {
			log.Fatal(err)
		}
		sum += served
	}
	fmt.Printf("%d processes served %d together\n", len(children), sum)
}
