//go:build linux

package mp_test

import (
	"context"
	"fmt"
	"os"
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

// Comm is the name of its process in ps and top.
var Comm = mp.Func(comm)

func comm(context.Context, mp.None) (string, error) {
	b, err := os.ReadFile("/proc/self/comm")
	return strings.TrimSpace(string(b)), err
}

func TestProcessesAreNamedInPS(t *testing.T) {
	if name := get(Comm.With(mp.StartOptions{Name: "reader-of-a-queue"}).Run(t.Context(), mp.None{}))(t); name != "reader-of-a-que" {
		t.Errorf("ps says %q", name)
	}
	if name := get(Comm.Run(t.Context(), mp.None{}))(t); !strings.HasPrefix(name, "comm-") {
		t.Errorf("ps says %q", name)
	}
}
