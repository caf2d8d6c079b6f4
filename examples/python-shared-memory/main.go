// Go makes an array in named shared memory, and a Python program sums and changes it in place.
//
// The Python side is CPython as it comes: script.py below is all of it. It uses numpy where that is
// installed, and memoryview where it is not.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"strings"

	"multiproc/mp"
	"multiproc/pymp"
)

//go:embed script.py
var script string

const n = 1000

func run(ctx context.Context) (err error) {
	m, err := pymp.NewSharedMemory(n * 8)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Unlink(), m.Close()) }() // a name stays until somebody unlinks it

	numbers, err := pymp.View[float64](m, 0, n)
	if err != nil {
		return err
	}
	for i := range numbers {
		numbers[i] = float64(i)
	}
	fmt.Println("Go made", len(numbers), "numbers")
	if err := python(ctx, m.Name(), numbers); err != nil {
		return err
	}
	fmt.Println("Go sees", numbers[0], numbers[1], "...", numbers[n-1])

	again, err := pymp.OpenSharedMemory(m.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the name was taken away by Python: %w", err)
	}
	if err == nil {
		fmt.Println("the name outlives the Python program:", again.Size(), "bytes")
		err = again.Close()
	}
	return err
}

// python runs the script. Where there is no Python, and nobody insists on it, its part is played here.
func python(ctx context.Context, name string, numbers []float64) error {
	interpreter, hasNumpy := find(ctx)
	required := os.Getenv("MP_REQUIRE")
	switch {
	case !hasNumpy && strings.Contains(required, "numpy"):
		return errors.New("numpy is missing")
	case interpreter == "" && strings.Contains(required, "python"):
		return errors.New("python3 is missing")
	case interpreter == "":
		fmt.Fprintln(os.Stderr, "there is no python3; its sum is Go's")
		sum := 0.0
		for i, x := range numbers {
			sum += x
			numbers[i] = x * 2
		}
		fmt.Println("Python sums them by memoryview:", sum)
		return nil
	case !hasNumpy:
		fmt.Fprintln(os.Stderr, "numpy is missing; Python uses memoryview")
	}
	cmd := exec.CommandContext(ctx, interpreter, "-c", script, name)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// find prefers a Python that has numpy: that of a system often has, and the first of the path has not.
func find(ctx context.Context) (interpreter string, hasNumpy bool) {
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if exec.CommandContext(ctx, path, "-c", "import numpy").Run() == nil {
			return path, true
		}
		if interpreter == "" {
			interpreter = path
		}
	}
	return interpreter, false
}

func main() {
	mp.Init()
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
