// Jobs and their answers in two queues of one manager, and workers that are programs of
// their own, on this machine or on others. Two of them are killed in the middle of a
// job, and every job is done.
//
//	class QueueManager(BaseManager): pass                # there
//	QueueManager.register('get_task', callable=lambda: tasks)
//	n = task.get(timeout=10); result.put(n * n)          # here, and anywhere else
//
// With get a job is gone with the worker that has it. Receive lends it: until Ack it
// stays the queue's, and if the worker dies somebody else gets it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"

	"multiproc/manager"
	"multiproc/mp"
)

type answer struct{ Job, Square int }

// queues finds the two queues by name, or makes them.
func queues(m *manager.Manager) (jobs *mp.Queue[int], answers *mp.Queue[answer], err error) {
	if jobs, err = mp.NewQueue[int](0, mp.In(m), mp.WithName("jobs")); err == nil {
		answers, err = mp.NewQueue[answer](0, mp.In(m), mp.WithName("answers"))
	}
	return jobs, answers, err
}

// work is the worker's program: it knows an address, and the key from its environment.
func work(ctx context.Context, address, fate string) error {
	m, err := manager.Dial(ctx, address, manager.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	jobs, answers, err := queues(m)
	if err != nil {
		return err
	}
	for {
		job, err := jobs.Receive(ctx)
		if errors.Is(err, io.EOF) { // and nobody else has a job that might come back
			return nil
		}
		if err != nil {
			return err
		}
		if fate == "killed at work" {
			kill()
		}
		if err := answers.Put(ctx, answer{job.Value, job.Value * job.Value}); err != nil {
			return err
		}
		if fate == "killed before it said so" { // so the job is done twice
			kill()
		}
		if err := job.Ack(ctx); err != nil && !errors.Is(err, mp.ErrLeaseLost) {
			return err
		}
	}
}

func kill() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {}
}

// serve runs the manager in this process, and gives the workers something to do.
func serve(ctx context.Context) error {
	l, err := manager.Listen("127.0.0.1:0") // a free port; on a network, the machine's own address
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	options := manager.Options{Authkey: manager.Authkey()}
	go func() { served <- manager.Serve(ctx, l, options) }()
	if err := boss(ctx, manager.AddressOf(l), options); err != nil {
		return err
	}
	stop()
	return <-served
}

func boss(ctx context.Context, address string, options manager.Options) error {
	m, err := manager.Dial(ctx, address, options)
	if err != nil {
		return err
	}
	defer m.Close()
	jobs, answers, err := queues(m)
	if err != nil {
		return err
	}
	const n = 60
	for i := range n {
		if err := jobs.Put(ctx, i+1); err != nil {
			return err
		}
	}
	if err := jobs.CloseWrite(ctx); err != nil {
		return err
	}
	for _, fate := range []string{"killed at work", "killed before it said so"} {
		p, err := start(ctx, address, fate)
		if err != nil {
			return err
		}
		fmt.Printf("a worker is %s: %v\n", fate, p.Wait())
	}
	var workers []*exec.Cmd
	for range 3 {
		p, err := start(ctx, address, "lives")
		if err != nil {
			return err
		}
		workers = append(workers, p)
	}

	sum, twice := 0, 0
	seen := map[int]bool{}
	for len(seen) < n {
		a, err := answers.Get(ctx)
		switch {
		case err != nil:
			return err
		case seen[a.Job]:
			twice++
			continue
		}
		seen[a.Job] = true
		sum += a.Square
	}
	for _, p := range workers {
		if err := p.Wait(); err != nil {
			return err
		}
	}
	late, err := answers.Len(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d jobs have an answer, %d of them two\n", len(seen), twice+late)
	fmt.Println("the sum of all squares is", sum)
	return nil
}

func start(ctx context.Context, address, fate string) (*exec.Cmd, error) {
	p := exec.CommandContext(ctx, os.Args[0], address, fate)
	p.Env = append(os.Environ(), manager.EnvAuthkey+"="+string(manager.Authkey()))
	p.Stderr = os.Stderr
	return p, p.Start()
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
