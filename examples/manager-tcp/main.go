// One manager, reached over TCP by processes that did not start each other: a single manager can be
// shared by processes on different machines.
//
//	m = SyncManager(address=('', 50000), authkey=b'…')   # there
//	m.connect()                                          # here, and anywhere else
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"

	"multiproc/manager"
	"multiproc/mp"
)

// work is what a program on another machine would do: it knows an address and, from its
// environment, the key. What it looks for it finds by name.
func work(ctx context.Context, address, who string) error {
	m, err := manager.Dial(ctx, address, manager.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	visits, err := mp.NewDict[string, int](mp.In(m), mp.WithName("visits"))
	if err != nil {
		return err
	}
	defer visits.Close()
	for range 100 {
		if _, err := visits.Add(ctx, "all", 1); err != nil {
			return err
		}
	}
	return visits.Set(ctx, who, 100)
}

// serve runs the manager in this process and three others beside it.
func serve(ctx context.Context) error {
	l, err := manager.Listen("127.0.0.1:0") // a free port; on a network, the machine's own address
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- manager.Serve(ctx, l, manager.Options{}) }()

	address := manager.AddressOf(l)
	var programs []*exec.Cmd
	for _, who := range []string{"Ann", "Bob", "Eve"} {
		p := exec.CommandContext(ctx, os.Args[0], address, who)
		p.Env = append(os.Environ(), manager.EnvAuthkey+"="+string(manager.Authkey()))
		p.Stderr = os.Stderr
		if err := p.Start(); err != nil {
			return err
		}
		programs = append(programs, p)
	}
	var failed error
	for _, p := range programs {
		failed = errors.Join(failed, p.Wait())
	}
	if failed != nil {
		return failed
	}
	if err := show(ctx, address); err != nil {
		return err
	}
	stop()
	return <-served
}

func show(ctx context.Context, address string) error {
	m, err := manager.Dial(ctx, address, manager.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	visits, err := mp.NewDict[string, int](mp.In(m), mp.WithName("visits"))
	if err != nil {
		return err
	}
	defer visits.Close()
	all, err := visits.Copy(ctx)
	if err != nil {
		return err
	}
	fmt.Println(all)
	return nil
}

func main() {
	mp.Init()
	ctx := context.Background()
	var err error
	if len(os.Args) == 3 {
		err = work(ctx, os.Args[1], os.Args[2])
	} else {
		err = serve(ctx)
	}
	if err != nil {
		log.Fatal(err)
	}
}
