package manager

import (
	"fmt"
	"strings"
	"testing"
)

// A mistake is found when the program starts, with the places of the calls.
func TestRegisterNamesPlaces(t *testing.T) {
	panics := func(f func()) (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		f()
		return ""
	}
	if text := panics(func() { Register("", func() *tally { return nil }) }); strings.Count(text, "register_test.go:") != 1 {
		t.Errorf("it said %q", text)
	}
	Register("test.Twice", func() *tally { return nil })
	if text := panics(func() { Register("test.Twice", func() *tally { return nil }) }); strings.Count(text, "register_test.go:") != 2 {
		t.Errorf("it said %q", text)
	}
	if text := panics(func() { RegisterFunc("nodot", func() {}) }); strings.Count(text, "register_test.go:") != 1 {
		t.Errorf("it said %q", text)
	}
}
