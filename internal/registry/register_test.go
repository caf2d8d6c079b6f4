package registry

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
)

func TestSnake(t *testing.T) {
	for name, want := range map[string]string{
		"F": "f", "Add": "add", "GetItem": "get_item", "HTTPGet": "http_get", "NewID": "new_id",
		"X1Y": "x1_y", "Already_Snake": "already_snake", "A": "a", "ABC": "abc",
	} {
		if got := snake(name); got != want {
			t.Errorf("%s became %s, want %s", name, got, want)
		}
	}
}

type empty struct{}

type withChan struct{}

// Run cannot be called from afar.
func (withChan) Run(chan int) {}

type account struct{ n int }

// Deposit has all that a method may have.
func (a *account) Deposit(_ context.Context, n int, more ...int) (int, error) {
	for _, m := range more {
		n += m
	}
	a.n += n
	return a.n, nil
}

// Each is a sequence.
func (a *account) Each() iter.Seq[int] { return slices.Values([]int{1, 2}) }

// HTTPGet has two results.
func (a *account) HTTPGet() (string, int) { return "x", 1 }

func TestRegisterExamines(t *testing.T) {
	r := &registration{typeid: "Account"}
	if err := r.examine(func() *account { return &account{} }); err != nil {
		t.Fatal(err)
	}
	want := []string{"Deposit", "Each", "HTTPGet", "deposit", "each", "http_get"}
	if !slices.Equal(r.exposed, want) {
		t.Errorf("exposed %v, want %v", r.exposed, want)
	}
	r = &registration{typeid: "Bank", expose: map[string]string{"_add": "Deposit", "__iter__": "Each"}}
	if err := r.examine(func() (*account, error) { return &account{}, nil }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"__iter__", "_add"}; !slices.Equal(r.exposed, want) || r.methods["Deposit"] == nil || r.methods["HTTPGet"] != nil {
		t.Errorf("exposed %v, methods %v", r.exposed, r.methods)
	}
}

type importer struct{}

func (importer) Import() int { return 1 }

func (importer) None() int { return 2 }

// Names that are Python's keywords are left out: no proxy could have them.
func TestRegisterAvoidsKeywords(t *testing.T) {
	r := &registration{typeid: "Importer"}
	if err := r.examine(func() importer { return importer{} }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"Import", "none"}; !slices.Equal(r.exposed, want) || r.methods["None"] == nil {
		t.Errorf("exposed %v, want %v; methods %v", r.exposed, want, r.methods)
	}
}

func TestRegisterRefuses(t *testing.T) {
	for want, c := range map[string]struct {
		typeid string
		ctor   any
		opts   []Option
	}{
		"it has no name":                {"", func() *account { return nil }, nil},
		"want a function":               {"X", 17, nil},
		"returns 0 values":              {"X", func() {}, nil},
		"returns 2 values":              {"X", func() (*account, int) { return nil, 0 }, nil},
		"has no exported methods":       {"X", func() *empty { return nil }, nil},
		"Run, argument 1":               {"X", func() withChan { return withChan{} }, nil},
		"constructor, argument 1":       {"X", func(func()) *account { return nil }, nil},
		"no exported method Nonsense":   {"X", func() *account { return nil }, []Option{Expose(map[string]string{"n": "Nonsense"})}},
		`the type "list" is the server`: {"list", func() *account { return nil }, nil},
	} {
		text := panics(func() { Register("here", c.typeid, c.ctor, c.opts...) })
		if !strings.Contains(text, want) || !strings.Contains(text, "registered at here:") {
			t.Errorf("%s: it said %q", want, text)
		}
	}
}

func TestRegisterTwice(t *testing.T) {
	Register("here", "test.Twice", func() *account { return &account{} })
	text := panics(func() { Register("here", "test.Twice", func() *account { return &account{} }) })
	if strings.Count(text, "at here") != 2 {
		t.Errorf("it said %q", text)
	}
	if text := panics(func() { RegisterFunc("here", "nodot", func() {}) }); !strings.Contains(text, "module.name") {
		t.Errorf("it said %q", text)
	}
	if text := panics(func() { NewException("X", make(chan int)) }); !strings.Contains(text, "NewException") {
		t.Errorf("it said %q", text)
	}
}

func panics(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return ""
}
