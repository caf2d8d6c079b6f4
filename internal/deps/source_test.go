package deps

import (
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"regexp"
	"strings"
	"testing"
)

// maxLines is how long a file may be: what is longer is two files.
const maxLines = 500

func TestFilesAreShort(t *testing.T) {
	for _, name := range files(t, ".go", ".s", ".c", ".h", ".py") {
		if n := strings.Count(read(t, name), "\n"); n > maxLines {
			t.Errorf("%s has %d lines, more than %d: where does it fall in two?", name, n, maxLines)
		}
	}
}

// Tests wait for a state, with a deadline; they never sleep in the hope that
// something has happened meanwhile.
func TestTestsNeverSleep(t *testing.T) {
	for _, name := range files(t, ".go") {
		if !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, "tests/") && !strings.HasPrefix(name, "internal/childtest/") {
			continue
		}
		ast.Inspect(parse(t, name), func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
					t.Errorf("%s sleeps: wait for a state instead", positions.Position(s.Pos()))
				}
			}
			return true
		})
	}
}

// left is what marks work that is not done, or a path of somebody's machine.
// The words are taken apart here, or this file would find itself.
var left = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|not imple` + `mented|unimple` + `mented)\b|(^|[\s"'(=])/(ho` + `me|Us` + `ers|ro` + `ot)/`)

func TestNothingIsLeftOpen(t *testing.T) {
	for _, name := range files(t, ".go", ".s", ".c", ".h", ".py", ".md", ".txt", ".mod", ".work", "") {
		if strings.HasPrefix(name, "LICENSE") || strings.HasPrefix(name, ".") && !strings.HasPrefix(name, ".ci/") {
			continue
		}
		for i, line := range strings.Split(read(t, name), "\n") {
			if found := left.FindString(line); found != "" {
				t.Errorf("%s:%d says %q", name, i+1, strings.TrimSpace(found))
			}
		}
	}
}

// Every package says what it is for, and every exported name what it does.
func TestEverythingIsDocumented(t *testing.T) {
	said := map[string]bool{}
	for _, name := range files(t, ".go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f := parse(t, name)
		dir := path.Dir(name)
		said[dir] = said[dir] || f.Doc.Text() != ""
		if f.Name.Name == "main" {
			continue // a program exports nothing
		}
		for _, d := range f.Decls {
			for _, n := range undocumented(d) {
				t.Errorf("%s: %s has no doc comment", positions.Position(n.Pos()), n.Name)
			}
		}
	}
	for dir, ok := range said {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// undocumented returns the exported names that a declaration introduces
// without a comment. A comment on a group of constants or variables counts for
// all of them.
func undocumented(d ast.Decl) []*ast.Ident {
	var names []*ast.Ident
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && receiverIsExported(d) {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		if d.Tok == token.IMPORT || d.Doc != nil {
			return nil
		}
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && s.Comment == nil {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && s.Doc == nil && s.Comment == nil {
						names = append(names, n)
					}
				}
			}
		}
	}
	return names
}

// obvious are methods whose meaning is that of an interface of the standard
// library.
var obvious = map[string]bool{"Error": true, "String": true, "Unwrap": true}

func receiverIsExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	if obvious[d.Name.Name] {
		return false
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// Every type that a user of mp makes has an example that runs.
func TestTypesHaveExamples(t *testing.T) {
	made, shown := map[string]token.Pos{}, map[string]bool{}
	for _, name := range files(t, ".go") {
		if path.Dir(name) != "mp" {
			continue
		}
		for _, d := range parse(t, name).Decls {
			f, ok := d.(*ast.FuncDecl)
			switch {
			case !ok || f.Recv != nil:
			case strings.HasSuffix(name, "_test.go"):
				typ, ok := strings.CutPrefix(f.Name.Name, "Example")
				typ, _, _ = strings.Cut(typ, "_")
				shown[typ] = shown[typ] || ok
			default:
				if typ := newType(f); typ != "" {
					made[typ] = f.Pos()
				}
			}
		}
	}
	for _, typ := range []string{"Task", "Process", "Conn"} { // made by functions of other names
		made[typ] = token.NoPos
	}
	if len(made) < 15 {
		t.Fatalf("%d types: this test looks in the wrong place", len(made))
	}
	for typ, pos := range made {
		if !shown[typ] {
			t.Errorf("%s: no Example for mp.%s", positions.Position(pos), typ)
		}
	}
}

// newType is which type a New function makes: its first result, without the
// pointer and the type's parameters.
func newType(f *ast.FuncDecl) string {
	if !strings.HasPrefix(f.Name.Name, "New") || f.Type.Results == nil {
		return ""
	}
	x, ok := f.Type.Results.List[0].Type.(*ast.StarExpr)
	if !ok {
		return ""
	}
	typ, _, _ := strings.Cut(types.ExprString(x.X), "[")
	return typ
}
