package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/bench/internal/procfs"
	"multiproc/bench/peers"
	"multiproc/manager"
	"multiproc/mp"
)

// managerCalls times n calls, Set and Get in turn, by so many goroutines over one connection to a manager in a process
// of its own, on a Unix socket.
func managerCalls(callers int) harness.Run {
	return func(ctx context.Context, n int) (perOp float64, err error) {
		m, err := manager.Start(ctx, manager.Options{})
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, m.Close()) }()
		d, err := mp.NewDict[string, int](mp.In(m))
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, d.Close()) }()
		if _, err := dictRun(ctx, d, callers*20, callers); err != nil {
			return 0, err
		}
		return dictRun(ctx, d, n, callers)
	}
}

func dictRun(ctx context.Context, d *mp.Dict[string, int], n, callers int) (float64, error) {
	each := max(n/callers/2, 1)
	failed := make([]error, callers)
	var all sync.WaitGroup
	began := time.Now()
	for c := range callers {
		all.Go(func() {
			key := "key" + strconv.Itoa(c)
			for i := range each {
				if err := d.Set(ctx, key, i); err != nil {
					failed[c] = err
					return
				}
				if got, err := d.Get(ctx, key); err != nil || got != i {
					failed[c] = fmt.Errorf("get after set of %d: %d, %w", i, got, err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(began).Seconds() / float64(each*2*callers), errors.Join(failed...)
}

// pythonOnOurs has CPython's own client do the work at a manager of ours.
func pythonOnOurs(k *peers.Kit, work, family string) harness.Run {
	return func(ctx context.Context, n int) (perOp float64, err error) {
		dir, err := os.MkdirTemp("", "multiproc-manager")
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		o := manager.Options{Address: filepath.Join(dir, "socket"), Authkey: []byte("a key that both sides know")}
		if family == "tcp" {
			o.Address = "127.0.0.1:0"
		}
		m, err := manager.Start(ctx, o)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, m.Close()) }()
		key := filepath.Join(dir, "key")
		if err := os.WriteFile(key, o.Authkey, 0o600); err != nil {
			return 0, err
		}
		return k.Python("mp_manager", work, 1, family, m.Address(), key)(ctx, n)
	}
}

// idleClients returns the memory that n connected clients that do nothing cost the server altogether.
func idleClients(ctx context.Context, n int) (bytes float64, err error) {
	m, err := manager.Start(ctx, manager.Options{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	server := mp.Children()
	if len(server) != 1 {
		return 0, fmt.Errorf("%d processes where the manager should be the only one", len(server))
	}
	var clients []*manager.Manager
	defer func() {
		for _, c := range clients {
			err = errors.Join(err, c.Close())
		}
	}()
	connect := func() error {
		c, err := manager.Dial(ctx, m.Address(), manager.Options{Authkey: m.Authkey()})
		if err == nil {
			clients = append(clients, c)
		}
		return err
	}
	for range 10 { // what the first of them set up for all is not counted
		if err := connect(); err != nil {
			return 0, err
		}
	}
	before, err := procfs.ResidentOf(server[0].PID())
	if err != nil {
		return 0, err
	}
	for range n {
		if err := connect(); err != nil {
			return 0, err
		}
	}
	after, err := procfs.ResidentOf(server[0].PID())
	return float64(after - before), err
}
