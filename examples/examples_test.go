package examples

import (
	"context"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"multiproc/examples/want"
	_ "multiproc/mp" // a change there must run these tests again, although only the programs use it
)

func TestExamples(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("mp runs on linux only")
	}
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := Build(t.Context(), dir, all); err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			output, err := e.Run(ctx, dir)
			if err != nil {
				t.Fatal(err)
			}
			refuses(t, e, output)
		})
	}
}

// refuses checks that the promise holds the program to every line that it has printed: it
// must not hold without one, with one twice, or with another in its place.
func refuses(t *testing.T, e Example, output string) {
	lines := slices.Collect(strings.Lines(output))
	for i, line := range lines {
		for what, instead := range map[string][]string{
			"without": {},
			"twice":   {line, line},
			"changed": {"x" + line},
		} {
			text := strings.Join(slices.Replace(slices.Clone(lines), i, i+1, instead...), "")
			if want.Compare(text, e.Want) == nil {
				t.Errorf("line %d %s, %q, and want.txt still agrees", i+1, what, line)
			}
		}
	}
}

// A program whose promise is changed, shortened or lengthened must fail: otherwise
// TestExamples says nothing.
func TestBrokenPromise(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("mp runs on linux only")
	}
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := Build(t.Context(), dir, all[:1]); err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(all[0].Want, "\n")
	for _, promise := range []string{"", rest, first + "!\n" + rest, all[0].Want + "more\n"} {
		broken := Example{Name: all[0].Name, Want: promise}
		if _, err := broken.Run(t.Context(), dir); err == nil {
			t.Errorf("%s ran, and printed what it did not print:\n%s", broken.Name, promise)
		}
	}
}

func TestFind(t *testing.T) {
	file := &fstest.MapFile{}
	for _, c := range []struct {
		files, says string
	}{
		{"a/main.go a/want.txt b/main.go b/want.txt tour/main.go", ""},
		{"a/main.go a/want.txt b/main.go", "examples/b has a main.go and no want.txt"},
		{"a/main.go a/want.txt b/want.txt", "examples/b has a want.txt and no program"},
	} {
		fsys := fstest.MapFS{}
		for _, name := range strings.Fields(c.files) {
			fsys[name] = file
		}
		all, err := find(fsys)
		if c.says == "" {
			if err != nil || len(all) != 2 {
				t.Errorf("%s: %v, %v", c.files, all, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, which does not say %q", c.files, err, c.says)
		}
	}
}

func TestReadmeListsAll(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if row := "| [" + e.Name + "](" + e.Name + "/main.go) |"; !strings.Contains(string(readme), row) {
			t.Errorf("README.md has no row that begins with %s", row)
		}
		if e.Shows == "" {
			t.Errorf("README.md does not say what %s shows", e.Name)
		}
	}
	if rows := strings.Count(string(readme), "/main.go) |"); rows != len(all) {
		t.Errorf("README.md has %d rows for %d examples", rows, len(all))
	}
}
