package deps

import (
	"go/ast"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestDocumentsAreShort(t *testing.T) {
	for name, most := range map[string]int{"README.md": 150, "ARCHITECTURE.md": 300} {
		if n := strings.Count(read(t, name), "\n"); n > most {
			t.Errorf("%s has %d lines, more than %d", name, n, most)
		}
	}
}

// block is a fenced piece of a document.
var block = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// The first program in the README runs and prints what stands below it.
func TestReadmeProgram(t *testing.T) {
	blocks := block.FindAllStringSubmatch(read(t, "README.md"), -1)
	i := slices.IndexFunc(blocks, func(b []string) bool { return b[1] == "go" })
	if i < 0 || i+1 >= len(blocks) || blocks[i+1][1] != "text" {
		t.Fatal("README.md has no go block followed by a text block")
	}
	program, want := blocks[i][2], blocks[i+1][2]
	out, err := compile(t, program, runtime.GOOS == "linux")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if runtime.GOOS == "linux" && out != want {
		t.Errorf("it printed\n%s\nand README.md says\n%s", out, want)
	}
}

// Every whole program in the documents compiles.
func TestProgramsCompile(t *testing.T) {
	for _, name := range documents(t) {
		for _, b := range block.FindAllStringSubmatch(read(t, name), -1) {
			if b[1] != "go" || !strings.HasPrefix(b[2], "package main") {
				continue
			}
			if out, err := compile(t, b[2], false); err != nil {
				t.Errorf("%s: a program does not compile: %v\n%s", name, err, out)
			}
		}
	}
}

// compile builds a program, and runs it if asked to. It returns what that
// printed.
func compile(t *testing.T, program string, run bool) (string, error) {
	t.Helper()
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil || !run {
		return string(out), err
	}
	out, err := exec.CommandContext(t.Context(), binary).CombinedOutput()
	return string(out), err
}

func documents(t *testing.T) []string {
	t.Helper()
	return files(t, ".md")
}

var (
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code = regexp.MustCompile("`[^`\n]*`")
)

// Links to files of the project lead somewhere.
func TestLinks(t *testing.T) {
	for _, name := range documents(t) {
		text := code.ReplaceAllString(block.ReplaceAllString(read(t, name), ""), "")
		for _, l := range link.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(l[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, path.Dir(name), target)); err != nil {
				t.Errorf("%s links to %s: %v", name, l[1], err)
			}
		}
	}
}

var mpName = regexp.MustCompile(`\bmp\.([A-Z]\w*)`)

// A document that speaks of mp.Something means something that is there.
func TestNamesExist(t *testing.T) {
	names := map[string]bool{}
	for _, name := range files(t, ".go") {
		if path.Dir(name) != "mp" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, d := range parse(t, name).Decls {
			for _, n := range declared(d) {
				names[n] = true
			}
		}
	}
	for _, name := range documents(t) {
		for _, m := range mpName.FindAllStringSubmatch(read(t, name), -1) {
			if !names[m[1]] {
				t.Errorf("%s speaks of %s, which package mp does not have", name, m[0])
			}
		}
	}
}

// declared returns the names that a declaration adds to its package.
func declared(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}

var point = regexp.MustCompile("`([a-z]+(?:\\.[a-z]+)+)`")

// docs/deaths.md says for every failpoint what a death there leaves, and
// names none that is not in the code.
func TestEveryFailpointIsExplained(t *testing.T) {
	_, table, found := strings.Cut(read(t, "docs/deaths.md"), "# What death leaves")
	if !found {
		t.Fatal("docs/deaths.md does not begin with What death leaves")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	explained := map[string]bool{}
	for _, m := range point.FindAllStringSubmatch(table, -1) {
		explained[m[1]] = true
	}
	inCode := failpoints(t)
	for p, where := range inCode {
		if !explained[p] {
			t.Errorf("docs/deaths.md does not say what a death at %s leaves (%s)", p, where)
		}
	}
	for p := range explained {
		if inCode[p] == "" {
			t.Errorf("docs/deaths.md explains %s, which no code hits", p)
		}
	}
}

// failpoints returns the names that the code passes to failpoint.Hit, and
// where.
func failpoints(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range files(t, ".go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		ast.Inspect(parse(t, name), func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok || len(c.Args) != 1 {
				return true
			}
			s, ok := c.Fun.(*ast.SelectorExpr)
			if !ok || s.Sel.Name != "Hit" {
				return true
			}
			x, isPkg := s.X.(*ast.Ident)
			lit, isLit := c.Args[0].(*ast.BasicLit)
			if isPkg && isLit && x.Name == "failpoint" {
				all[strings.Trim(lit.Value, `"`)] = positions.Position(c.Pos()).String()
			}
			return true
		})
	}
	return all
}
