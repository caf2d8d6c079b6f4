package main

import (
	"context"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"multiproc/bench/internal/stats"
)

// bareEnv makes this program end at the top of main: what a start costs whatever is done with it.
const bareEnv = "MULTIPROC_BENCH_BARE"

func exitIfBare() {
	if os.Getenv(bareEnv) != "" {
		os.Exit(0)
	}
}

// bareExec is the peer of Start and Wait: the same binary, run and awaited by os/exec.
func bareExec(ctx context.Context, n int) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	return medianOf(n, 0, func() error {
		cmd := exec.CommandContext(ctx, self)
		cmd.Env = append(os.Environ(), bareEnv+"=1")
		return cmd.Run()
	})
}

// bareTotal is a package variable so that the compiler cannot keep it in a register.
var bareTotal int64

func bareAdd(_ context.Context, n int) (float64, error) {
	start := time.Now()
	for range n {
		atomic.AddInt64(&bareTotal, 1)
	}
	return perOp(start, n), nil
}

// medianOf times f n times, with a pause before each, after a tenth of them to warm up.
func medianOf(n int, pause time.Duration, f func() error) (float64, error) {
	took := make([]float64, n)
	for i := -n/10 - 1; i < n; i++ {
		time.Sleep(pause)
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		if i >= 0 {
			took[i] = time.Since(start).Seconds()
		}
	}
	return stats.Median(took), nil
}

// perOp is the seconds of one of n operations that began at start.
func perOp(start time.Time, n int) float64 { return time.Since(start).Seconds() / float64(n) }
