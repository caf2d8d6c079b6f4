package deps

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "multiproc"

// root is the module's directory, seen from this package's.
const root = "../.."

// files returns the paths, from root, of all files of the project with one of
// these suffixes.
func files(t *testing.T, suffixes ...string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == "results") {
			return fs.SkipDir
		}
		if !d.IsDir() && slices.Contains(suffixes, path.Ext(name)) {
			rel, err := filepath.Rel(root, name)
			list = append(list, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatalf("no %v files: is this the project's directory?", suffixes)
	}
	return list
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// parsed are Go files by their path from root. The tests only look at them, so
// each file is parsed once.
var parsed = map[string]*ast.File{}

var positions = token.NewFileSet()

func parse(t *testing.T, name string) *ast.File {
	t.Helper()
	if f := parsed[name]; f != nil {
		return f
	}
	f, err := parser.ParseFile(positions, name, read(t, name), parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	parsed[name] = f
	return f
}

// pkg is what the go command says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// list asks the go command for packages, as they are built for a platform.
func list(t *testing.T, goos, goarch string, patterns ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, patterns...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// within reports whether an import path is that of a package or lies below it.
func within(importPath, pkg string) bool {
	return importPath == pkg || strings.HasPrefix(importPath, pkg+"/")
}
