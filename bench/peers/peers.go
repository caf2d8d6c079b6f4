// Package peers runs the programs that ours is measured beside. Each is a program of its own that takes the number of
// operations as its first argument and prints {"per_op": seconds}: Python scripts (py), C floors (c) that are compiled
// when there is a compiler, and one Go program (gopeer).
package peers

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"multiproc/bench/internal/harness"
)

//go:embed c/*.c c/*.h py/*.py
var sources embed.FS

// Kinds are the peers that -require can name.
var Kinds = []string{"python", "joblib", "cc", "go", "redis"}

// Kit holds the peers' programs in a temporary directory. What needs compiling is compiled at its first use.
type Kit struct {
	dir   string
	skip  map[string]string // kind to why it is left out
	mu    sync.Mutex
	built map[string]error
}

// Open unpacks the sources. Close removes them again.
func Open() (*Kit, error) {
	dir, err := os.MkdirTemp("", "multiproc-bench")
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(dir, sources); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Kit{dir: dir, skip: map[string]string{}, built: map[string]error{}}, nil
}

// Close removes the programs.
func (k *Kit) Close() error { return os.RemoveAll(k.dir) }

// Skip leaves out a kind of peers; why stands in the table.
func (k *Kit) Skip(kind, why string) { k.skip[kind] = why }

// Require builds every program of the named kinds and returns what is in the way.
func (k *Kit) Require(ctx context.Context, kinds ...string) error {
	for _, kind := range kinds {
		switch kind {
		case "python":
			if _, err := k.python(); err != nil {
				return err
			}
		case "joblib":
			if _, err := k.joblib(ctx); err != nil {
				return err
			}
		case "cc":
			floors, err := fs.Glob(sources, "c/*.c")
			if err != nil {
				return err
			}
			for _, f := range floors {
				if _, err := k.floor(ctx, strings.TrimSuffix(filepath.Base(f), ".c")); err != nil {
					return err
				}
			}
		case "go":
			if _, err := k.gopeer(ctx); err != nil {
				return err
			}
		case "redis":
			if err := k.redis(ctx); err != nil {
				return err
			}
		default:
			return fmt.Errorf("no such kind of peer: %q; there are %s", kind, strings.Join(Kinds, ", "))
		}
	}
	return nil
}

// Python runs py/NAME.py.
func (k *Kit) Python(name string, args ...any) harness.Run {
	return k.script(func(context.Context) (string, error) { return k.python() }, name, args)
}

// Joblib is Python, by an interpreter that has joblib.
func (k *Kit) Joblib(name string, args ...any) harness.Run { return k.script(k.joblib, name, args) }

func (k *Kit) script(interpreter func(context.Context) (string, error), name string, args []any) harness.Run {
	return func(ctx context.Context, n int) (float64, error) {
		python, err := interpreter(ctx)
		if err != nil {
			return 0, err
		}
		return measure(ctx, n, args, python, "-B", filepath.Join(k.dir, "py", name+".py"))
	}
}

// C runs the floor c/NAME.c.
func (k *Kit) C(name string, args ...any) harness.Run {
	return func(ctx context.Context, n int) (float64, error) {
		program, err := k.floor(ctx, name)
		if err != nil {
			return 0, err
		}
		return measure(ctx, n, args, program)
	}
}

// Go runs gopeer with a transport and its work.
func (k *Kit) Go(args ...any) harness.Run {
	return func(ctx context.Context, n int) (float64, error) {
		program, err := k.gopeer(ctx)
		if err != nil {
			return 0, err
		}
		return measure(ctx, n, args, program)
	}
}

func (k *Kit) python() (string, error) {
	return k.tool("python", "python3")
}

// joblib finds an interpreter that has joblib: Debian's package is for Debian's interpreter, which need not be the first
// on PATH.
func (k *Kit) joblib(ctx context.Context) (string, error) {
	first, err := k.tool("joblib", "python3")
	if err != nil {
		return "", err
	}
	for _, python := range []string{first, "/usr/bin/python3"} {
		if exec.CommandContext(ctx, python, "-c", "import joblib.externals.loky").Run() == nil {
			return python, nil
		}
	}
	return "", fmt.Errorf("%w: no python3 with joblib", harness.ErrAbsent)
}

func (k *Kit) floor(ctx context.Context, name string) (string, error) {
	cc, err := k.tool("cc", "cc")
	if err != nil {
		return "", err
	}
	args := []string{"-O2", "-pthread", "-o", filepath.Join(k.dir, name), filepath.Join(k.dir, "c", name+".c")}
	if name == "lmdb" {
		args = append(args, "-llmdb")
	}
	return k.build(ctx, name, cc, args...)
}

// gopeer is built where this program was built from: it has no sources of its own to unpack.
func (k *Kit) gopeer(ctx context.Context) (string, error) {
	tool, err := k.tool("go", "go")
	if err != nil {
		return "", err
	}
	return k.build(ctx, "gopeer", tool, "build", "-o", filepath.Join(k.dir, "gopeer"), "multiproc/bench/peers/gopeer")
}

// tool finds a command, or says that a kind of peers is absent.
func (k *Kit) tool(kind, name string) (string, error) {
	if why, ok := k.skip[kind]; ok {
		return "", fmt.Errorf("%w: %s", harness.ErrAbsent, why)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: no %s on PATH", harness.ErrAbsent, name)
	}
	return path, nil
}

// build makes a program once and remembers how that went.
func (k *Kit) build(ctx context.Context, name, tool string, args ...string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	err, done := k.built[name]
	if !done {
		if out, failed := exec.CommandContext(ctx, tool, args...).CombinedOutput(); failed != nil {
			err = fmt.Errorf("%w: %s does not build: %s", harness.ErrAbsent, name, lastLine(out))
		}
		k.built[name] = err
	}
	return filepath.Join(k.dir, name), err
}

// measure runs a peer and reads its figure. Its own children end with it: the peers see to that when they are
// interrupted or killed.
func measure(ctx context.Context, n int, args []any, program ...string) (float64, error) {
	line := append(slices.Clone(program[1:]), fmt.Sprint(n))
	for _, a := range args {
		line = append(line, fmt.Sprint(a))
	}
	cmd := exec.CommandContext(ctx, program[0], line...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 2 * time.Second
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && len(exit.Stderr) > 0 {
			return 0, fmt.Errorf("%w: %s", err, lastLine(exit.Stderr))
		}
		return 0, err
	}
	var figure struct {
		PerOp *float64 `json:"per_op"`
	}
	if err := json.Unmarshal(out, &figure); err != nil {
		return 0, fmt.Errorf("%s printed %q: %w", filepath.Base(program[0]), out, err)
	}
	if figure.PerOp == nil {
		return 0, fmt.Errorf("%s printed %q, without per_op", filepath.Base(program[0]), out)
	}
	return *figure.PerOp, nil
}

// lastLine is where compilers and interpreters say what it was.
func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
