package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"multiproc/bench/internal/harness"
	"multiproc/bench/internal/procfs"
	"multiproc/mp"
)

// residentEnv makes this program a fresh family that only measures what an object occupies; its value is the kind.
// The long-lived one would reuse what earlier rounds gave back.
const residentEnv = "MULTIPROC_BENCH_RESIDENT"

// residentOf asks a fresh family for the bytes that each of n new objects occupies.
func residentOf(kind string) harness.Run {
	return func(ctx context.Context, n int) (float64, error) {
		self, err := os.Executable()
		if err != nil {
			return 0, err
		}
		cmd := exec.CommandContext(ctx, self, fmt.Sprint(n))
		cmd.Env = append(os.Environ(), residentEnv+"="+kind)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return 0, err
		}
		var bytesEach float64
		err = json.Unmarshal(out, &bytesEach)
		return bytesEach, err
	}
}

// measureResident is that family's main; it returns at once in any other.
func measureResident() error {
	kind := os.Getenv(residentEnv)
	if kind == "" {
		return nil
	}
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	create := func() (io.Closer, error) { return mp.NewQueue[int64](smallCap) }
	if kind == "value" {
		create = func() (io.Closer, error) { return mp.NewValue[int64](0) }
	}
	each, err := growth(n, create)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(each); err != nil {
		return err
	}
	os.Exit(0)
	return nil
}

// growth returns the bytes that each of n new objects adds to this process.
func growth(n int, create func() (io.Closer, error)) (each float64, err error) {
	kept := make([]io.Closer, n)
	defer func() {
		for _, c := range kept {
			if c != nil {
				err = errors.Join(err, c.Close())
			}
		}
	}()
	first, err := create() // what the first of its kind sets up for all is not counted
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, first.Close()) }()
	before, err := settled()
	if err != nil {
		return 0, err
	}
	for i := range kept {
		if kept[i], err = create(); err != nil {
			return 0, err
		}
	}
	after, err := settled()
	return float64(after-before) / float64(n), err
}

// settled is what this process occupies without garbage.
func settled() (int64, error) {
	runtime.GC()
	runtime.GC()
	return procfs.Resident()
}
