package deps

import (
	"go/ast"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// storeys are the packages of the module, from the ground up. A package
// imports from storeys below its own, and within its own only what beside
// allows. See ARCHITECTURE.md.
var storeys = [][]string{
	{"internal/mperr", "internal/cbor", "internal/cell", "internal/failpoint", "internal/fence", "internal/pin", "internal/randtype", "internal/tlstest"}, // leaves: they import nothing but each other's errors
	{"internal/pyvalue"}, // the model of a manager's values
	{"internal/futex", "internal/shm", "internal/fdpass", "internal/spawn", "internal/busypoll", "internal/peer", "internal/machine", "internal/budget"}, // the operating system
	{"internal/robust", "internal/table", "internal/ring", "internal/ledger", "internal/arena", "internal/dict", "internal/list"},                        // structures in shared memory
	{"internal/codec", "internal/wire", "internal/fdbroker", "internal/interchange", "internal/pickle", "internal/pyconn", "internal/frames"},            // meaning
	{"internal/endpoint"},                          // what both ends of a connection to a manager share
	{"internal/store"},                             // what a manager's objects have in common
	{"internal/objects"},                           // the objects of a manager
	{"internal/registry"},                          // and those of the program's own types
	{"internal/server"},                            // the server of a manager
	{"mp/driver", "internal/complete", "mp/mpnet"}, // what a place must offer, and what is built from that; sockets for mp
	{"internal/local", "internal/client"},          // the places: memory, and a manager
	{"mp/executor"},                                // what runs the items of tasks
	{"mp"},                                         // what users see
	{"manager/client"},                             // what programs add to it: connections to a server for shared objects
	{"supervisor", "pool"},                         // what keeps tasks alive, and what gives them to workers
	{"manager", "pymp"},                            // that server, Python's side
	{"internal/childtest", "internal/deps", "mptest", "examples", "tests", "cmd", "progress", "otel"}, // tests, examples, commands, and bars for pools
}

// beside are the imports within a storey.
var beside = map[string][]string{
	"internal/budget":      {"internal/machine"},
	"internal/table":       {"internal/robust"},
	"internal/ring":        {"internal/robust"},
	"internal/ledger":      {"internal/robust", "internal/table"},
	"internal/dict":        {"internal/robust", "internal/arena", "internal/table"},
	"internal/list":        {"internal/robust", "internal/arena"},
	"internal/fdbroker":    {"internal/wire"},
	"internal/interchange": {"internal/codec"},
	"internal/pyconn":      {"internal/pyconn"},                // its test helpers
	"internal/frames":      {"internal/frames"},                // its test helpers
	"mp/driver":            {"mp/driver", "internal/complete"}, // the suite that drivers must pass
	"internal/complete":    {"mp/driver"},
	"examples":             {"examples"},
	"progress":             {"progress"}, // its example
	"tests":                {"internal/childtest", "mptest", "tests"},
	"mptest":               {"internal/childtest"},
}

// outside are the modules that a child process may link, and who uses them.
var outside = map[string][]string{
	"golang.org/x/sys/unix": {"internal/futex", "internal/shm", "internal/fdpass", "internal/spawn", "internal/peer", "internal/machine", "internal/robust", "internal/busypoll", "internal/pyconn", "internal/endpoint", "internal/server", "pymp"},
}

// place returns the name in storeys that stands for an import path, and its
// storey.
func place(importPath string) (name string, storey int, ok bool) {
	for i, names := range storeys {
		for _, n := range names {
			if within(importPath, module+"/"+n) {
				return n, i, true
			}
		}
	}
	return "", 0, false
}

var platforms = [][2]string{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "arm64"}, {"windows", "amd64"}}

func TestGraph(t *testing.T) {
	for _, platform := range platforms {
		for _, p := range list(t, platform[0], platform[1], "./...", module+"/cmd/...", module+"/progress/...", module+"/otel/...") {
			name, storey, ok := place(p.ImportPath)
			if !ok {
				t.Errorf("%s has no storey: give it one in storeys", p.ImportPath)
				continue
			}
			for _, i := range p.Imports {
				checkImport(t, p.ImportPath, name, storey, i)
			}
		}
	}
}

func checkImport(t *testing.T, from, name string, storey int, to string) {
	t.Helper()
	if !within(to, module) {
		users, ok := outside[to]
		if ok && !slices.Contains(users, name) && storey < len(storeys)-1 {
			t.Errorf("%s imports %s, which only %v may", from, to, users)
		}
		return
	}
	other, below, ok := place(to)
	switch {
	case !ok, below > storey:
		t.Errorf("%s imports %s, which stands above it", from, to)
	case below == storey && !slices.Contains(beside[name], other):
		t.Errorf("%s imports %s, which stands beside it", from, to)
	}
}

// never are the packages that mp must not link, and why: it is in every child
// process, in its start-up time and in its memory.
var never = map[string]string{
	"net/http":      "half a megabyte of tables, and init functions that run in every child",
	"net":           "its resolver; fdpass works on bare descriptors",
	"os/exec":       "spawn starts processes from one chosen thread, which os/exec cannot",
	"testing":       "it registers flags in every program",
	"flag":          "the program's flags are its own",
	"text/template": "it keeps the linker from dropping unused methods",
	"html/template": "it keeps the linker from dropping unused methods",
	"encoding/gob":  "it loses fields in silence; codec has the messages",
	"encoding/json": "codec has the messages",
	"log":           "a library returns errors",
}

func TestMPNeverLinks(t *testing.T) {
	for _, platform := range platforms {
		all := list(t, platform[0], platform[1], "./mp")
		for _, p := range all {
			for pkg, why := range never {
				if slices.Contains(p.Deps, pkg) {
					t.Errorf("on %s/%s %s links %s: %s", platform[0], platform[1], p.ImportPath, pkg, why)
				}
			}
			checkOutside(t, p.Deps)
		}
	}
}

// Users get the modules that the library needs and no others: tools, and what a
// command needs, are in modules of their own.
func TestModules(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Path}}", "all")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Fields(string(out)), append([]string{module}, known...); !slices.Equal(got, want) {
		t.Errorf("the modules of a user would be %v, want %v", got, want)
	}
}

// A program that only connects to a manager does not link the server.
func TestClientLinksNoServer(t *testing.T) {
	server := []string{"internal/server", "internal/registry", "internal/objects", "internal/store", "internal/pickle"}
	for _, platform := range platforms {
		for _, p := range list(t, platform[0], platform[1], "./manager/client") {
			for _, s := range server {
				if slices.Contains(p.Deps, module+"/"+s) {
					t.Errorf("on %s/%s %s links %s", platform[0], platform[1], p.ImportPath, s)
				}
			}
		}
	}
}

// The server's files for Go clients and those for Python's use no name of each
// other, though they are one package: what both need is in its other files.
func TestFrontsAreApart(t *testing.T) {
	names := map[string]map[string]string{"go": {}, "py": {}} // where what is declared
	trees := map[string][]*ast.File{}
	for _, name := range files(t, ".go") {
		dir, file := path.Split(name)
		front := file[:2]
		if dir != "internal/server/" || names[front] == nil || strings.HasSuffix(file, "_test.go") {
			continue
		}
		f := parse(t, name)
		trees[front] = append(trees[front], f)
		for _, d := range f.Decls {
			for _, n := range declared(d) {
				names[front][n] = name
			}
		}
	}
	for front, other := range map[string]string{"go": "py", "py": "go"} {
		for _, f := range trees[front] {
			selected := map[*ast.Ident]bool{} // fields and methods, of which types say whose they are
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					selected[n.Sel] = true
				case *ast.FuncDecl:
					selected[n.Name] = true
				case *ast.Ident:
					if where := names[other][n.Name]; where != "" && !selected[n] {
						t.Errorf("%s uses %s of %s", positions.Position(n.Pos()), n.Name, where)
					}
				}
				return true
			})
		}
	}
}

// known are the modules that mp links.
var known = []string{"golang.org/x/sys"}

// checkOutside finds dependencies outside of the module that nobody has
// decided on.
func checkOutside(t *testing.T, deps []string) {
	t.Helper()
	for _, d := range deps {
		if !isModulePath(d) || within(d, module) {
			continue
		}
		if !slices.ContainsFunc(known, func(k string) bool { return within(d, k) }) {
			t.Errorf("mp links %s: dependencies default to no", d)
		}
	}
}

// isModulePath tells packages of modules from those of the standard library:
// their first element has a dot.
func isModulePath(p string) bool {
	for i := range len(p) {
		switch p[i] {
		case '.':
			return true
		case '/':
			return false
		}
	}
	return false
}
