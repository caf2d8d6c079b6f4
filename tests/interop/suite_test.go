//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// needsPython are the tests of the suite for which the server would have to
// run the Python code of the test, and why.
var needsPython = map[string]string{
	"WithManagerTestPool.test_release_task_refs": "counts instances of a Python class in the server's process",
	"WithManagerTestBarrier.test_action":         "the barrier calls a Python function in the server's process",
}

// outcome is a line of suite.py.
type outcome struct{ Test, Outcome, Why string }

// CPython's own tests of managers pass against our server, over Unix sockets
// and TCP, from each CPython of this machine.
func TestSuite(t *testing.T) {
	server := build(t, "multiproc/tests/interop/server")
	for _, p := range pythons(t) {
		for _, family := range []string{"unix", "tcp"} {
			t.Run(p.version+"/"+family, func(t *testing.T) {
				t.Parallel()
				report(t, p, family, run(t, p, server, family, ""), func(test string) []outcome {
					return run(t, p, server, family, "^"+test+"$")
				})
			})
		}
	}
}

func run(t *testing.T, p python, server, family, only string) []outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.path, "suite.py", "--server", server, "--family", family, "--only", only)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, stderr.Bytes())
	}
	var all []outcome
	for line := range strings.Lines(string(out)) {
		var o outcome
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, o)
	}
	return all
}

// report counts. A test that failed runs once more, as in CPython's own CI: many
// of them measure times of a tenth of a second. That it did is in the count.
func report(t *testing.T, p python, family string, all []outcome, again func(test string) []outcome) {
	t.Helper()
	passed, python, skipped, second := 0, 0, 0, 0
	for _, o := range all {
		switch why, needs := needsPython[o.Test]; {
		case o.Outcome == "ok":
			passed++
		case needs:
			python++
			t.Logf("%s: %s", o.Test, why)
		case o.Outcome == "skipped":
			skipped++
			t.Logf("%s skips itself: %s", o.Test, o.Why)
		default:
			t.Logf("%s: %s", o.Test, o.Why)
			if o := again(o.Test); len(o) == 1 && o[0].Outcome == "ok" {
				passed++
				second++
				continue
			}
			t.Errorf("%s failed twice", o.Test)
		}
	}
	if passed < 76 { // what the smallest of the suites, 3.8's, has
		t.Errorf("only %d tests passed", passed)
	}
	t.Logf("CPython %s over %s: %d of its tests passed, %d of them at the second try; %d need Python code in the server, %d skip themselves",
		p.version, family, passed, second, python, skipped)
}
