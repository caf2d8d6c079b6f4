package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/bench/internal/procfs"
	"multiproc/mp"
	"multiproc/pool"
)

var (
	dieItem = mp.Func(dieTask)
	pidItem = mp.Func(pidTask)
)

// dieTask writes to a file when it is, and is killed.
func dieTask(_ context.Context, file string) (int, error) {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(file, strconv.AppendInt(nil, time.Now().UnixNano(), 10), 0o600); err != nil {
		return 0, err
	}
	if err := self.Kill(); err != nil {
		return 0, err
	}
	select {}
}

func pidTask(context.Context, int) (int, error) { return os.Getpid(), nil }

// poolKills kills n workers, each in an item, and returns what of is of the times from there to the item's error.
func poolKills(of func([]float64) float64) harness.Run {
	return func(ctx context.Context, n int) (took float64, err error) {
		dir, err := os.MkdirTemp("", "multiproc-bench-kill")
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		file := filepath.Join(dir, "when")
		return withPool(ctx, pool.Options{Workers: poolWorkers}, func(p *pool.Pool) (float64, error) {
			all := make([]float64, n)
			for i := range all {
				_, err := dieItem.RunOn(ctx, p, file)
				now := time.Now().UnixNano()
				var died *pool.WorkerDiedError
				if !errors.As(err, &died) {
					return 0, fmt.Errorf("the error of a killed worker: %w", err)
				}
				b, err := os.ReadFile(file)
				if err != nil {
					return 0, err
				}
				then, err := strconv.ParseInt(string(b), 10, 64)
				if err != nil {
					return 0, err
				}
				all[i] = time.Duration(now - then).Seconds()
				// The next one dies as alone as this one.
				if err := allThere(ctx, p, poolWorkers); err != nil {
					return 0, err
				}
			}
			return of(all), nil
		})
	}
}

const recycleAfter = 100 // items

// poolRecycle maps n items, which wear out a worker for each hundred, and returns the longest time between two results.
func poolRecycle(ctx context.Context, n int) (stall float64, err error) {
	before, err := holdings()
	if err != nil {
		return 0, err
	}
	workers := map[int]bool{}
	longest := time.Duration(0)
	_, err = withPool(ctx, pool.Options{Workers: poolWorkers, MaxItems: recycleAfter}, func(p *pool.Pool) (float64, error) {
		var last time.Time
		for pid, err := range pidItem.Map(ctx, p, upTo(n)) {
			if err != nil {
				return 0, err
			}
			now := time.Now()
			if !last.IsZero() {
				longest = max(longest, now.Sub(last))
			}
			last = now
			workers[pid] = true
		}
		return 0, nil
	})
	if err != nil {
		return 0, err
	}
	if most := recycleAfter + recycleAfter/10; len(workers) < n/most {
		return 0, fmt.Errorf("%d workers have done %d items", len(workers), n)
	}
	return longest.Seconds(), before.left(ctx)
}

// held is what a pool must give back.
type held struct{ children, files, shared []string }

func holdings() (h held, err error) {
	pids, err := procfs.Children()
	if err != nil {
		return h, err
	}
	for _, pid := range pids {
		h.children = append(h.children, strconv.Itoa(pid))
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return h, err
	}
	for _, f := range files {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil { // else it was the directory itself
			h.files = append(h.files, f.Name()+" "+to)
		}
	}
	shared, err := filepath.Glob("/dev/shm/*")
	h.shared = shared
	return h, err
}

// left says what there is beyond what there was. The kernel has a moment to give it back.
func (before held) left(ctx context.Context) error {
	for try := 0; ; try++ {
		now, err := holdings()
		if err != nil {
			return err
		}
		children, shared := beyond(now.children, before.children), beyond(now.shared, before.shared)
		more := len(now.files) - len(before.files)
		if len(children) == 0 && len(shared) == 0 && more <= 0 {
			return nil
		}
		if try == 50 || ctx.Err() != nil {
			return fmt.Errorf("left behind: processes %v, in /dev/shm %v, %d descriptors, among %v",
				children, shared, more, beyond(now.files, before.files))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// beyond is what now has and before did not.
func beyond(now, before []string) []string {
	return slices.DeleteFunc(slices.Clone(now), func(s string) bool { return slices.Contains(before, s) })
}
