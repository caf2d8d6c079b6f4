// A Python program and Go processes fill the same dictionary.
//
// The Python side is CPython as it comes, with nothing installed: script.py below is all of it.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"slices"
	"strings"

	"multiproc/manager"
	"multiproc/mp"
)

//go:embed script.py
var script string

type job struct {
	N     int
	Stock *mp.Dict[any, any]
}

func fill(ctx context.Context, j job) error {
	if err := j.Stock.Set(ctx, fmt.Sprint("go ", j.N), j.N*100); err != nil {
		return err
	}
	_, err := j.Stock.Add(ctx, "writers", 1)
	return err
}

var Fill = mp.Proc(fill)

func run(ctx context.Context) error {
	m, err := manager.Start(ctx, manager.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	// Python finds the dictionary by its name.
	stock, err := mp.NewDict[any, any](mp.In(m), mp.WithName("stock"))
	if err != nil {
		return err
	}
	defer stock.Close()

	var children []mp.Child
	for i := range 2 {
		p, err := Fill.Start(ctx, job{i, stock})
		if err != nil {
			return err
		}
		children = append(children, p)
	}
	failed := python(ctx, m, stock)
	if err := errors.Join(failed, mp.WaitAll(ctx, children...)); err != nil {
		return err
	}

	all, err := stock.Copy(ctx)
	if err != nil {
		return err
	}
	fmt.Println(line(all))
	return nil
}

// python runs the script. Where there is no Python, and nobody insists on it, its part is played here.
func python(ctx context.Context, m *manager.Manager, stock *mp.Dict[any, any]) error {
	interpreter, err := exec.LookPath("python3")
	if err != nil {
		if strings.Contains(os.Getenv("MP_REQUIRE"), "python") {
			return err
		}
		fmt.Fprintln(os.Stderr, "there is no python3; its entries are written by Go")
		_, err = stock.Add(ctx, "writers", 1)
		return errors.Join(err, stock.Set(ctx, "python", []any{1, 2.5, nil}), stock.Set(ctx, 7, true))
	}
	cmd := exec.CommandContext(ctx, interpreter, "-c", script, m.Address())
	cmd.Env = append(os.Environ(), manager.EnvAuthkey+"="+string(m.Authkey()))
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// line prints a dictionary in the order of its keys' text, for they are of several types.
func line(d map[any]any) string {
	var entries []string
	for k, v := range d {
		entries = append(entries, fmt.Sprint(k, ": ", v))
	}
	slices.Sort(entries)
	return "{" + strings.Join(entries, ", ") + "}"
}

func main() {
	mp.Init()
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
