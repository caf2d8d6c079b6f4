//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisCalls times n calls, SET and GET in turn, by so many goroutines over one client to a redis-server of its own on a
// Unix socket that keeps nothing on disk.
func redisCalls(n, callers int) (perOp float64, err error) {
	client, stop, err := startRedis()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ctx := context.Background()
	if _, err := redisRun(ctx, client, callers*20, callers); err != nil { // connections are made
		return 0, err
	}
	return redisRun(ctx, client, n, callers)
}

func redisRun(ctx context.Context, client *redis.Client, n, callers int) (float64, error) {
	each := max(n/callers/2, 1)
	failed := make([]error, callers)
	var all sync.WaitGroup
	began := time.Now()
	for c := range callers {
		all.Go(func() {
			key := "key" + strconv.Itoa(c)
			for i := range each {
				if err := client.Set(ctx, key, i, 0).Err(); err != nil {
					failed[c] = err
					return
				}
				if got, err := client.Get(ctx, key).Int(); err != nil || got != i {
					failed[c] = fmt.Errorf("get after set of %d: %d, %w", i, got, err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(began).Seconds() / float64(each*2*callers), errors.Join(failed...)
}

func startRedis() (*redis.Client, func() error, error) {
	dir, err := os.MkdirTemp("", "multiproc-redis")
	if err != nil {
		return nil, nil, err
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	stop := func() error {
		err := client.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return errors.Join(err, os.RemoveAll(dir))
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if err = client.Ping(context.Background()).Err(); err == nil {
			return client, stop, nil
		}
		if time.Now().After(deadline) {
			return nil, nil, errors.Join(fmt.Errorf("redis-server does not answer: %w", err), stop())
		}
	}
}
