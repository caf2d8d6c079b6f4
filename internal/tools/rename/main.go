// Command rename gives a copy of the project a module path of its own, so that
// it can be published there:
//
//	git clone . DIR
//	go run ./internal/tools/rename example.com/you/multiproc DIR
//
// It changes DIR in place: the go.mod files, imports, names of packages in
// strings, scripts and documents, and the README's section on installing. The
// copy's modules then ask for each other at -version, so tag the commit that
// publishes them with it: v0.1.0, cmd/mp/v0.1.0 for the command, and
// progress/v0.1.0 for progress bars.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

func main() {
	version := flag.String("version", "v0.1.0", "the version that the copy's modules ask each other for")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/tools/rename [-version v0.1.0] MODULE-PATH DIR")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	n, err := rename(flag.Arg(1), flag.Arg(0), *version)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rename:", err)
		os.Exit(1)
	}
	fmt.Printf("%d files changed; tag the commit with %s, cmd/mp/%[2]s and progress/%[2]s\n", n, *version)
}

// rename changes the project in dir and returns how many files it has changed.
func rename(dir, path, version string) (changed int, err error) {
	if err := module.CheckPath(path); err != nil {
		return 0, err
	}
	if _, major, ok := module.SplitPathVersion(path); !ok || !semver.IsValid(version) || semver.Build(version) != "" {
		return 0, fmt.Errorf("%s at %s: want a version such as v0.1.0", path, version)
	} else if err := module.CheckPathMajor(version, major); err != nil {
		return 0, err
	}
	root, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return 0, err
	}
	old := modfile.ModulePath(root)
	if old == "" || old == path {
		return 0, fmt.Errorf("%s is module %q already", dir, old)
	}
	r := &renamer{old: old, path: path, version: version}
	if r.inText, err = names(dir, old); err != nil {
		return 0, err
	}
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" || d.Name() == "results" { // results say what was run, and when
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		did, err := r.file(name)
		if did {
			changed++
		}
		return err
	})
	return changed, err
}

// names matches what names a package of the module in a text. The module's
// bare name is not enough: it is an ordinary word of the project too.
func names(dir, old string) (*regexp.Regexp, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	below := []string{`\.\.\.`}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			below = append(below, regexp.QuoteMeta(e.Name())+`(?:_test)?\b`)
		}
	}
	return regexp.Compile(`(^|[^\w./@-])` + regexp.QuoteMeta(old) + `/(` + strings.Join(below, "|") + `)`)
}

type renamer struct {
	old, path, version string
	inText             *regexp.Regexp
}

// file renames in one file and reports whether that changed it.
func (r *renamer) file(name string) (bool, error) {
	info, err := os.Stat(name)
	if err != nil {
		return false, err
	}
	before, err := os.ReadFile(name)
	if err != nil || bytes.IndexByte(before, 0) >= 0 {
		return false, err // not a text
	}
	after := before
	switch base := filepath.Base(name); {
	case base == "go.mod":
		after, err = r.goMod(name, before)
	case base == "go.work":
		after, err = r.goWork(name, before)
	case filepath.Ext(base) == ".sum":
	default:
		after = r.inText.ReplaceAll(before, []byte("${1}"+r.path+"/${2}"))
		if filepath.Ext(base) == ".go" {
			after = bytes.ReplaceAll(after, []byte(`"`+r.old+`"`), []byte(`"`+r.path+`"`))
		}
		if base == "README.md" {
			after = r.install(after)
		}
		if filepath.Ext(base) == ".go" && !bytes.Equal(before, after) {
			after, err = format.Source(after) // imports are sorted by their new names
		}
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	if bytes.Equal(before, after) {
		return false, nil
	}
	return true, os.WriteFile(name, after, info.Mode().Perm())
}

// goMod renames the module and what it requires of the project. A module with
// a replacement could not be installed by its path, so replacements go: goWork
// has one for all.
func (r *renamer) goMod(name string, text []byte) ([]byte, error) {
	f, err := modfile.Parse(name, text, nil)
	if err != nil {
		return nil, err
	}
	if f.Module == nil {
		return nil, errors.New("it names no module")
	}
	err = f.AddModuleStmt(r.renamed(f.Module.Mod.Path))
	for _, q := range f.Require {
		if to := r.renamed(q.Mod.Path); to != q.Mod.Path {
			err = errors.Join(err, f.DropRequire(q.Mod.Path), f.AddRequire(to, r.version))
		}
	}
	for _, q := range f.Replace {
		if r.renamed(q.Old.Path) != q.Old.Path {
			err = errors.Join(err, f.DropReplace(q.Old.Path, q.Old.Version))
		}
	}
	if err != nil {
		return nil, err
	}
	f.Cleanup()
	f.SortBlocks()
	return modfile.Format(f.Syntax), nil
}

// goWork makes the workspace answer for the version that its modules ask each
// other for: the go command would look for it in the network.
func (r *renamer) goWork(name string, text []byte) ([]byte, error) {
	f, err := modfile.ParseWork(name, text, nil)
	if err != nil {
		return nil, err
	}
	for _, q := range f.Replace {
		if q.Old.Path == r.old {
			err = errors.Join(err, f.DropReplace(q.Old.Path, q.Old.Version))
		}
	}
	if err = errors.Join(err, f.AddReplace(r.path, r.version, "./", "")); err != nil {
		return nil, err
	}
	f.Cleanup()
	return modfile.Format(f.Syntax), nil
}

func (r *renamer) renamed(path string) string {
	if path == r.old || strings.HasPrefix(path, r.old+"/") {
		return r.path + strings.TrimPrefix(path, r.old)
	}
	return path
}

// installing is the README's section on installing, up to the next heading.
var installing = regexp.MustCompile(`(?s)(\n## Install\n).*?(\n## )`)

// install says how to install what has a path of its own.
func (r *renamer) install(readme []byte) []byte {
	text := fmt.Sprintf("\n    go get %s@%s\n    go install %[1]s/cmd/mp@%[2]s    # the command mp\n", r.path, r.version)
	return installing.ReplaceAll(readme, []byte("${1}"+text+"${2}"))
}
