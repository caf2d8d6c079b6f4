//go:build linux

package mp_test

import (
	"fmt"
	"strings"
	"testing"

	"multiproc/mp"
)

// What fmt prints of a handle is its name, on one line, also when it is closed
// and of one that was never made.
func TestHandlesPrintTheirNames(t *testing.T) {
	check := func(what string, h any) {
		t.Helper()
		if s := fmt.Sprint(h); strings.ContainsAny(s, "\n{") || len(s) < 5 || len(s) > 120 {
			t.Errorf("%s is printed as %q", what, s)
		}
	}
	for _, k := range kinds {
		h := get(k.make())(t)
		check(k.name, h)
		must(t, h.Close())
		check(k.name+", closed", h)
	}
	for name, make := range far {
		h := get(make())(t)
		check(name, h)
		must(t, h.Close())
		check(name+", closed", h)
	}
	for _, h := range []any{
		&mp.Queue[int]{}, &mp.Value[int]{}, &mp.Mutex{}, &mp.Dict[int, int]{}, &mp.List[int]{}, &mp.Set[int]{}, &mp.Namespace{},
		&mp.Conn[int, int]{}, &mp.Array[int]{}, &mp.Counter{}, &mp.RawValue[int]{}, &mp.RawArray[int]{}, &mp.Event{}, &mp.Process[int]{},
	} {
		check("a zero handle", h)
	}
	p := start(t, Wait, counter(t, 0))
	check("a process", p)
	check("a task", Wait)
	if s := fmt.Sprint(p); !strings.Contains(s, p.Name()) || !strings.HasSuffix(s, "running") {
		t.Errorf("a process is printed as %q", s)
	}
}
