package peers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"multiproc/bench/internal/harness"
)

func open(t *testing.T) *Kit {
	t.Helper()
	k, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func TestOpenUnpacksWhatPeersNeed(t *testing.T) {
	k := open(t)
	for _, name := range []string{"c/measure.h", "c/ring.c", "py/measure.py", "py/mp_queue.py", "py/items.py"} {
		if _, err := os.Stat(filepath.Join(k.dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestWithoutToolsPeersAreAbsent(t *testing.T) {
	k := open(t)
	t.Setenv("PATH", t.TempDir())
	for name, run := range map[string]harness.Run{"python3": k.Python("mp_queue"), "cc": k.C("ring"), "go": k.Go("netrpc")} {
		_, err := run(t.Context(), 1)
		if !errors.Is(err, harness.ErrAbsent) || !strings.Contains(err.Error(), "no "+name+" on PATH") {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for _, kind := range append(Kinds, "cobol") {
		if k.Require(t.Context(), kind) == nil {
			t.Errorf("%s was there", kind)
		}
	}
}

func TestSkip(t *testing.T) {
	k := open(t)
	k.Skip("go", "takes long")
	_, err := k.Go("netrpc")(t.Context(), 1)
	if !errors.Is(err, harness.ErrAbsent) || !strings.Contains(err.Error(), "takes long") {
		t.Errorf("a skipped peer: %v", err)
	}
}

// script makes a program that prints text and ends with status.
func script(t *testing.T, text, status string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "peer")
	body := "#!/bin/sh\ncat <<'END'\n" + text + "\nEND\necho oops >&2\nexit " + status + "\n"
	if err := os.WriteFile(name, []byte(body), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestMeasureReadsTheFigure(t *testing.T) {
	for _, c := range []struct{ text, status, want string }{
		{`{"per_op": 2.5e-07}`, "0", ""},
		{`{}`, "0", "without per_op"},
		{`hello`, "0", "invalid character"},
		{`{"per_op": 1}`, "3", "oops"},
	} {
		v, err := measure(t.Context(), 1, nil, script(t, c.text, c.status))
		if c.want == "" && (err != nil || v != 2.5e-07) {
			t.Errorf("%s: %v, %v", c.text, v, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want one with %q", c.text, err, c.want)
		}
	}
}
