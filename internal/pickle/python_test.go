package pickle

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/internal/pyvalue"
)

// run runs testdata/values.py and returns the lines that it prints.
func run(t *testing.T, python, what string, input []byte) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "-X", "utf8", "testdata/values.py", what)
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("values.py %s: %v\n%s%s", what, err, out, stderr.Bytes())
	}
	var lines []string
	in := bufio.NewScanner(bytes.NewReader(out))
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		lines = append(lines, in.Text())
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What each Python pickles in each protocol decodes, prints as it does there,
// and is the same when that Python loads what we write of it.
func TestPythonAndBack(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		var ours bytes.Buffer
		lines := run(t, python, "pickle", nil)
		for _, line := range lines {
			f := strings.Fields(line)
			protocol, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			v, err := Decode(unhex(t, f[3]), Options{})
			if err != nil {
				t.Errorf("value %s, protocol %d: %v (%.100s)", f[0], protocol, err, f[3])
				continue
			}
			if want := string(unhex(t, f[2])); want != "-" && want != pyvalue.WTF8(pyvalue.Repr(v)) && len(want) < 4000 && !strings.HasPrefix(want, "<") {
				t.Errorf("value %s, protocol %d: repr is %.200s, want %.200s", f[0], protocol, pyvalue.Repr(v), want)
			}
			for p := lowestProtocol; p <= highestProtocol; p++ {
				b, err := Encode(nil, v, EncodeOptions{Protocol: p})
				if err != nil {
					if p < 4 && strings.Contains(err.Error(), "named arguments") {
						continue
					}
					t.Errorf("value %s, protocol %d: %v", f[0], p, err)
					continue
				}
				fmt.Fprintf(&ours, "%s %d %x\n", f[0], protocol, b)
			}
		}
		if len(lines) < 500 {
			t.Errorf("only %d values were tried", len(lines))
		}
		answer := run(t, python, "unpickle", ours.Bytes())
		for i, line := range answer {
			if line != "bad 0" && i < 20 {
				t.Error(line)
			}
		}
	})
}

// Equal, Compare and Key say of each pair what Python says.
func TestPythonsOrder(t *testing.T) {
	python := pyconntest.Pythons(t)[0]
	var values []pyvalue.Value
	lines := run(t, python, "order", nil)
	for len(lines) > 0 && !strings.Contains(lines[0], " ") {
		v, err := Decode(unhex(t, lines[0]), Options{})
		if err != nil {
			t.Fatal(err)
		}
		values, lines = append(values, v), lines[1:]
	}
	if len(values) < 50 || len(lines) != len(values)*len(values) {
		t.Fatalf("%d values, %d pairs", len(values), len(lines))
	}
	for i, a := range values {
		for j, b := range values {
			checkPair(t, a, b, strings.SplitN(lines[i*len(values)+j], " ", 3))
		}
	}
}

func checkPair(t *testing.T, a, b pyvalue.Value, want []string) {
	t.Helper()
	pair := pyvalue.Repr(a) + " and " + pyvalue.Repr(b)
	equal := pyvalue.Equal(a, b)
	if got := map[bool]string{true: "True", false: "False"}[equal]; got != want[0] {
		t.Errorf("%s: equal is %s, want %s", pair, got, want[0])
	}
	less := "False"
	if c, err := pyvalue.Compare(a, b); err != nil {
		less = "TypeError " + err.Error()
	} else if c < 0 {
		less = "True"
	}
	wantLess := strings.ReplaceAll(want[2], "'datetime.", "'")
	if less != wantLess && !strings.Contains(want[2], "builtin_function") {
		t.Errorf("%s: less is %s, want %s", pair, less, wantLess)
	}
	ka, erra := pyvalue.Key(a)
	kb, errb := pyvalue.Key(b)
	if hashed := map[bool]string{true: "yes", false: "no"}[erra == nil && errb == nil]; hashed != want[1] {
		t.Errorf("%s: hashable is %s, want %s (%v, %v)", pair, hashed, want[1], erra, errb)
	}
	if isNaN(a) && isNaN(b) {
		equal = true // it has one key, but is not equal to itself
	}
	if erra == nil && errb == nil && (ka == kb) != equal {
		t.Errorf("%s: keys %x and %x", pair, ka, kb)
	}
}

func isNaN(v pyvalue.Value) bool {
	f, ok := v.(float64)
	return ok && f != f
}
