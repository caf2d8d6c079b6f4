// Three services in processes of their own, kept alive by a supervisor.
//
//	while True:
//	    for name, p in processes.items():
//	        if not p.is_alive():
//	            processes[name] = Process(target=serve, args=(...)); processes[name].start()
//	    time.sleep(1)
//
// A supervisor does that without looking now and then, gives up if a service cannot stay
// alive, and stops all in order. Requests wait in a queue while a service is started again.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"multiproc/mp"
	"multiproc/supervisor"
)

type service struct {
	Power   int
	Numbers *mp.Queue[int]
	Powers  *mp.Queue[int]
}

// raise answers with powers of the numbers that come, and cannot bear some of them.
func raise(ctx context.Context, s service) error {
	for {
		n, err := s.Numbers.Get(ctx)
		if err != nil {
			return err
		}
		switch n {
		case 3:
			os.Exit(3)
		case 5:
			panic("a five")
		case 7:
			if p, err := os.FindProcess(os.Getpid()); err == nil {
				p.Kill()
			}
		}
		power := 1
		for range s.Power {
			power *= n
		}
		if err := s.Powers.Put(ctx, power); err != nil {
			return err
		}
	}
}

var Raise = mp.Proc(raise)

func main() {
	mp.Init()
	names := []string{"numbers", "squares", "cubes"}
	byName := map[string]service{}
	var all []supervisor.Service
	for i, name := range names {
		s := service{Power: i + 1, Numbers: queue(), Powers: queue()}
		byName[name] = s
		quiet := mp.StartOptions{Name: name, Quiet: true} // the panics are part of the show
		all = append(all, supervisor.Task(name, Raise.With(quiet), s))
	}
	s := supervisor.New(supervisor.Options{MaxRestarts: 100}, all...)
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()

	for n := 1; n <= 9; n++ {
		fmt.Print(n, ":")
		for _, name := range names {
			put(byName[name].Numbers, n)
			if n == 3 || n == 5 || n == 7 { // nobody answers
				fmt.Print(" -")
				continue
			}
			power, err := byName[name].Powers.Get(ctx)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Print(" ", power)
		}
		fmt.Println()
	}
	stop()
	if err := <-stopped; err != nil {
		log.Fatal(err)
	}
	for _, x := range s.Status() {
		fmt.Printf("%s: started again %d times, now %s\n", x.Name, x.Restarts, x.State)
	}
}

func queue() *mp.Queue[int] {
	q, err := mp.NewQueue[int](0)
	if err != nil {
		log.Fatal(err)
	}
	return q
}

func put(q *mp.Queue[int], n int) {
	if err := q.Put(context.Background(), n); err != nil {
		log.Fatal(err)
	}
}
