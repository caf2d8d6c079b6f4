//go:build interop

package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
)

// python is one CPython of this machine.
type python struct {
	version string // "3.11.7"
	path    string
}

// pythons finds the CPythons from 3.8 on: the one on the path first, then
// those of pyenv. None at all fails the test, unless nobody requires Python.
func pythons(t *testing.T) []python {
	t.Helper()
	candidates := []string{"python3"}
	if home, err := os.UserHomeDir(); err == nil {
		more, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions/3.*/bin/python3"))
		candidates = append(candidates, more...)
	}
	var found []python
	seen := map[string]bool{}
	for _, c := range candidates {
		out, err := exec.CommandContext(t.Context(), c, "-c",
			"import platform, sys; assert sys.version_info >= (3, 8); print(platform.python_version(), sys.executable)").Output()
		version, path, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
		if err != nil || !ok || seen[version] {
			continue
		}
		seen[version] = true
		found = append(found, python{version, path})
	}
	if len(found) == 0 {
		if strings.Contains(os.Getenv("MP_REQUIRE"), "python") {
			t.Fatal("there is no python3 of version 3.8 or later")
		}
		t.Skip("there is no python3 of version 3.8 or later")
	}
	return found
}

// build compiles a program of this module.
func build(t *testing.T, pkg string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, pkg).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// start runs a program of testdata as a client of the server: with args in
// sys.argv[3:], and one line of its output for each say.
func (p python) start(t testing.TB, s *testServer, program string, args ...string) *pyconntest.Script {
	t.Helper()
	var text []byte
	for _, name := range []string{"prelude", program} {
		b, err := os.ReadFile(filepath.Join("testdata", name+".py"))
		must(t, err)
		text = append(append(text, b...), '\n')
	}
	return pyconntest.Start(t, p.path, string(text), append([]string{s.address, string(s.key)}, args...)...)
}
