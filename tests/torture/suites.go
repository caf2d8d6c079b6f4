//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"time"

	"multiproc/mp"
)

// suite is a crash test of the library, which has failpoints where it is built with a tag.
type suite struct{ object, dir, test string }

var (
	enumerations = []suite{
		{"queue", "internal/ring", "TestCrashAtEveryStore"},
		{"dict, set, namespace", "internal/dict", "TestCrashAtEveryStore"},
		{"list", "internal/list", "TestCrashAtEveryStore"},
	}
	killings = []suite{
		{"locks and events", "internal/robust", "TestKilledAtEveryPoint"},
		{"queue", "internal/ring", "TestKilledAtEveryPoint"},
		{"family", "internal/table", "TestKilledAtEveryPoint"},
		{"everything", "tests/crash", "Test"},
	}
)

func images(*env) ([]*check, error) { return suites(enumerations, false) }

func failpoints(*env) ([]*check, error) { return suites(killings, true) }

// suites is a check for each. They are built from the source: this program runs in it.
func suites(all []suite, once bool) (list []*check, err error) {
	library := reflect.TypeFor[mp.None]().PkgPath() // a copy may have a path of its own
	root, err := output(context.Background(), "", nil, "go", "list", "-f", "{{.Module.Dir}}", library)
	if err != nil {
		return nil, fmt.Errorf("the source of the library is not there: %w", err)
	}
	for _, s := range all {
		list = append(list, &check{object: s.object, once: once, round: func(ctx context.Context, seed uint64, sum *tally) error {
			env := append(os.Environ(), fmt.Sprintf("MP_SEED=%d", 8*seed)) // a test plays some from there on
			out, err := output(ctx, strings.TrimSpace(string(root)), env, "go", "test", "-tags", "mpcrash", "-count=1", "-v",
				"-timeout", "20m", "-run", "^"+s.test, "./"+s.dir)
			if e := sum.read(out); e != nil && err == nil {
				err = e
			}
			return err
		}})
	}
	return list, nil
}

// output runs a command. What it said is in the error if it fails, but for lines that only
// tell that a test passes.
func output(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		var told []string
		for line := range strings.Lines(out.String()) {
			if l := strings.TrimSpace(line); !strings.HasPrefix(l, "=== ") && !strings.HasPrefix(l, "--- PASS") {
				told = append(told, line)
			}
		}
		return out.Bytes(), fmt.Errorf("%w\n%s", err, strings.Join(told, ""))
	}
	return out.Bytes(), nil
}

// read adds what the lines of childtest.Tally say.
func (t *tally) read(out []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(out))
	found := false
	for lines.Scan() {
		_, says, ok := strings.Cut(lines.Text(), "tally: ")
		if !ok {
			continue
		}
		var images, kills int
		var longest string
		if _, err := fmt.Sscanf(says, "images %d kills %d longest %s", &images, &kills, &longest); err != nil {
			return fmt.Errorf("%q: %w", says, err)
		}
		d, err := time.ParseDuration(longest)
		if err != nil {
			return err
		}
		found = true
		t.images, t.kills, t.longest = t.images+images, t.kills+kills, max(t.longest, d)
	}
	if !found {
		return errors.New("the tests have not said what they have done")
	}
	return lines.Err()
}
