// Package examples holds the example programs, one directory each: main.go is the program
// and want.txt the output that it promises, as package want reads it. Build and Run are
// what the tests and the tour share.
package examples

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"multiproc/examples/want"
)

//go:embed */main.go */want.txt README.md
var files embed.FS

// row is a line of README.md's table: the name of an example, its words in
// Python, and what it shows.
var row = regexp.MustCompile(`(?m)^\| \[([\w-]+)\]\([^)]*\) \|.*\| (.*) \|$`)

const importPath = "multiproc/examples/"

// A program that has ended and left its output open, to a process that outlived it, is
// given this long. It then counts as failed.
const straggle = 5 * time.Second

// Example is a program and its promise.
type Example struct {
	Name  string // of the directory
	Shows string // what README.md says of it
	Want  string // the text of want.txt
}

// All returns the examples by name. A directory with a program and no want.txt, or the other
// way around, is an error.
func All() ([]Example, error) {
	all, err := find(files)
	if err != nil {
		return nil, err
	}
	readme, err := files.ReadFile("README.md")
	if err != nil {
		return nil, err
	}
	shows := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(readme), -1) {
		shows[m[1]] = strings.ReplaceAll(m[2], "`", "")
	}
	for i := range all {
		all[i].Shows = shows[all[i].Name]
	}
	return all, nil
}

func find(fsys fs.FS) ([]Example, error) {
	mains, err := directories(fsys, "main.go")
	if err != nil {
		return nil, err
	}
	wants, err := directories(fsys, "want.txt")
	if err != nil {
		return nil, err
	}
	delete(mains, "tour") // runs the others
	var all []Example
	for _, name := range slices.Sorted(maps.Keys(mains)) {
		if !wants[name] {
			err = errors.Join(err, fmt.Errorf("examples/%s has a main.go and no want.txt", name))
			continue
		}
		text, e := fs.ReadFile(fsys, name+"/want.txt")
		err = errors.Join(err, e)
		all = append(all, Example{Name: name, Want: string(text)})
	}
	for _, name := range slices.Sorted(maps.Keys(wants)) {
		if !mains[name] {
			err = errors.Join(err, fmt.Errorf("examples/%s has a want.txt and no program", name))
		}
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

func directories(fsys fs.FS, file string) (map[string]bool, error) {
	paths, err := fs.Glob(fsys, "*/"+file)
	names := make(map[string]bool, len(paths))
	for _, p := range paths {
		names[path.Dir(p)] = true
	}
	return names, err
}

// Build compiles the examples into dir, which must exist, with one call of the go command.
func Build(ctx context.Context, dir string, all []Example) error {
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, e := range all {
		args = append(args, importPath+e.Name)
	}
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// Run runs the example that Build put into dir and returns its standard output. The error
// is nil if it ended with exit code 0, left nothing running that holds its output, and
// printed what it promises.
func (e Example) Run(ctx context.Context, dir string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(dir, e.Name))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = straggle

	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("stopped: %w", context.Cause(ctx))
	case errors.Is(err, exec.ErrWaitDelay):
		err = errors.New("the program ended, and a process that it left behind holds its output")
	case err == nil:
		err = want.Compare(stdout.String(), e.Want)
	}
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("%w\nstandard error:\n%s", err, &stderr)
	}
	return stdout.String(), err
}
