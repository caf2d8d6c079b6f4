//go:build mpcrash

package table

import (
	"fmt"
	"strings"
	"testing"

	"multiproc/internal/childtest"
)

// TestKilledAtEveryPoint kills a child at every failpoint of this package,
// while it joins, reserves, releases, serves and holds.
func TestKilledAtEveryPoint(t *testing.T) {
	kills := 0
	for _, name := range childtest.Failpoints(t, ".") {
		past := false
		for _, n := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				if killAt(t, name, n) {
					past = true
					kills++
				}
			})
		}
		if !past {
			t.Errorf("no child came past %s", name)
		}
	}
	childtest.Tally(t, 0, kills, 0)
}

func killAt(t *testing.T, name string, n int) bool {
	tab := newFamily(t)
	h, seg := newHolders(t, tab)
	ref := reserve(t, tab, "victim")
	c := start(t, tab, ref, seg, fmt.Sprintf("MP_FAILPOINT=%s:%d", name, n))
	// say says a line, and hears what the victim still says.
	var reserved []Ref
	alive := true
	say := func(format string, a ...any) (line string) {
		if alive {
			c.Say(format, a...)
			line, alive = c.Line()
		}
		return line
	}
	if line, ok := c.Line(); ok && line != "in" {
		t.Fatal(line)
	} else if !ok {
		alive = false
	}
	for _, words := range []string{"reserve", "serve", "reserve", "hold 1", "hold 1", "hold -1", "reserve", "release", "release", "hold -1", "hold 1"} {
		if words == "release" {
			if len(reserved) > 0 {
				say("release %d %d", reserved[0].Slot, reserved[0].Gen)
				reserved = reserved[1:]
			}
			continue
		}
		if line := say("%s", words); alive && words == "reserve" {
			reserved = append(reserved, refOf(t, line))
		}
	}
	c.Kill()
	before := deaths(tab)
	tab.Release(ref)
	if deaths(tab) == before {
		t.Error("nobody was told")
	}
	if tab.Live(ref) || h.Any() {
		t.Errorf("the dead lives (%v) or holds (%v)", tab.Live(ref), h.Any())
	}
	for _, r := range reserved {
		if tab.Live(r) {
			t.Errorf("%v, which the dead was about to start, lives", r)
		}
	}
	// Survivors use what it left: the lock, its entry, and every slot.
	other, oref := member(t, tab, seg)
	other.Say("hold 1")
	other.Expect("held")
	if !h.Any() {
		t.Error("the survivor holds and is not seen")
	}
	other.Say("hold -1")
	other.Expect("held")
	if h.Any() {
		t.Error("the survivor let go and is still seen")
	}
	if taken := fill(t, tab); len(taken) != MaxProcesses-2 {
		t.Errorf("%d slots could be had beside %v and the root, want %d", len(taken), oref, MaxProcesses-2)
	}
	return !alive && !strings.HasPrefix(name, "?")
}
