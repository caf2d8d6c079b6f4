// A prefork server: four processes accept connections on one listening socket.
//
//	listener = socket.create_server(('127.0.0.1', 0))
//	for i in range(4):
//	    Process(target=serve, args=(listener,)).start()
//
// The kernel gives a connection to whichever process accepts it first. If one is killed, the
// others go on, and a connection that it had not accepted yet is theirs.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"multiproc/mp"
	_ "multiproc/mp/mpnet" // sockets travel
)

// serve serves one connection after the other: it sends its name, and waits until the client
// has hung up. It returns how many it served.
func serve(ctx context.Context, l *net.TCPListener) (served int, err error) {
	stop := context.AfterFunc(ctx, func() { l.Close() }) // this process's own descriptor of it
	defer stop()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return served, nil
		}
		if err != nil {
			return served, err
		}
		fmt.Fprintln(conn, mp.Self().Name)
		io.Copy(io.Discard, conn)
		conn.Close()
		served++
	}
}

var Serve = mp.Func(serve)

// connect opens so many connections at once and returns the names of the processes that
// serve them.
func connect(address string, count int) (names []string, err error) {
	for range count {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return nil, err
		}
		defer conn.Close() // when all have been served
		var name string
		if _, err := fmt.Fscanln(conn, &name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

func main() {
	mp.Init()
	ctx := context.Background()

	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	var children []*mp.Process[int]
	for i := range 4 {
		p, err := Serve.With(mp.StartOptions{Name: fmt.Sprintf("server-%d", i+1)}).Start(ctx, l)
		if err != nil {
			log.Fatal(err)
		}
		children = append(children, p)
	}

	total, by := 0, map[string]int{} // as the client sees it
	visit := func(rounds, atOnce int) {
		for range rounds {
			names, err := connect(l.Addr().String(), atOnce)
			if err != nil {
				log.Fatal("a connection was lost: ", err)
			}
			for _, name := range names {
				total++
				by[name]++
			}
		}
	}
	visit(20, 4) // a process serves one at a time, so each has one
	killed := children[3]
	if err := killed.Kill(); err != nil {
		log.Fatal(err)
	}
	<-killed.Done()
	fmt.Printf("%s served %d connections and was killed\n", killed.Name(), by[killed.Name()])
	visit(40, 3)

	sum := by[killed.Name()]
	for _, p := range children[:3] {
		p.Cancel(nil)
		served, err := p.Result(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s served %d connections\n", p.Name(), served)
		sum += served
	}
	fmt.Printf("%d processes served %d connections, %d were lost\n", len(children), sum, total-sum)
}
