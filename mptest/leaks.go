package mptest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// state is what a process has that it can leave behind, by kind. The values
// are what tells one thing from another, the keys of a listing.
type state struct {
	children map[string]bool // pid and command
	files    map[string]bool // descriptor and what it is open on
	maps     map[string]bool // mappings of shared objects
	routines map[string]int  // goroutines by where they stand
	shm      map[string]bool // files in /dev/shm
}

func look() state {
	return state{children(), files(), mappings(), goroutines(), devShm()}
}

// compare lists what is there now and was not in before, once nothing goes
// away any more or the time is over. The list is empty if all is well.
func (before state) compare(limit time.Duration) string {
	var left string
	poll(time.Now().Add(limit), func() bool {
		runtime.GC() // small objects are unmapped by the collector
		now := look()
		var b strings.Builder
		list(&b, "child", before.children, now.children)
		list(&b, "descriptor", before.files, now.files)
		list(&b, "mapping", before.maps, now.maps)
		list(&b, "/dev/shm", before.shm, now.shm)
		for _, where := range slices.Sorted(maps.Keys(now.routines)) {
			if n := now.routines[where] - before.routines[where]; n > 0 {
				fmt.Fprintf(&b, "  %d × goroutine: %s\n", n, where)
			}
		}
		left = b.String()
		return left == ""
	})
	return left
}

func list(b *strings.Builder, what string, before, now map[string]bool) {
	for _, x := range slices.Sorted(maps.Keys(now)) {
		if !before[x] {
			fmt.Fprintf(b, "  %s: %s\n", what, x)
		}
	}
}

// children finds this process's children, also those that package mp knows
// nothing of, and those that are dead and not reaped.
func children() map[string]bool {
	found := map[string]bool{}
	self := strconv.Itoa(os.Getpid())
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if s := readStat(path); len(s) > 1 && s[1] == self {
			pid := strings.Split(path, "/")[2]
			cmd, _ := os.ReadFile("/proc/" + pid + "/comm")
			found[fmt.Sprintf("pid %s, %s, state %s", pid, strings.TrimSpace(string(cmd)), s[0])] = true
		}
	}
	return found
}

// readStat returns the fields of /proc/PID/stat from the state on: the ones
// before it may contain blanks.
func readStat(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	s := string(b)
	return strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
}

func files() map[string]bool {
	found := map[string]bool{}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		// The first is ReadDir's own, the others are the runtime's poller.
		if err != nil || strings.HasSuffix(target, "/fd") ||
			strings.Contains(target, "[eventpoll]") || strings.Contains(target, "[eventfd]") {
			continue
		}
		found[e.Name()+" → "+target] = true
	}
	return found
}

func mappings() map[string]bool {
	found := map[string]bool{}
	b, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "/memfd:mp:") {
			found[strings.TrimSpace(line)] = true
		}
	}
	return found
}

// permanent are functions whose goroutines stay for the life of the process
// by design, once they were needed.
var permanent = []string{
	"multiproc/internal/robust.own", // the threads that own locks
	"multiproc/internal/spawn.init",
	"multiproc/mp.(*orphanage).",
	"os/signal.loop",
	"os/signal.signal_recv",
	"runtime.ensureSigM",
	"testing.(*M).",
	"multiproc/mptest.goroutines",
}

// goroutines counts them by their innermost function and where they were made.
func goroutines() map[string]int {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	count := map[string]int{}
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		if slices.ContainsFunc(permanent, func(f string) bool { return strings.Contains(g, f) }) {
			continue
		}
		count[where(g)]++
	}
	return count
}

func where(stack string) string {
	lines := strings.Split(stack, "\n")
	if len(lines) < 2 {
		return stack
	}
	at, made := lines[1], ""
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(l, "created by "); ok {
			made, _, _ = strings.Cut(rest, " in goroutine")
		}
	}
	if i := strings.LastIndexByte(at, '('); i > 0 {
		at = at[:i]
	}
	return at + ", created by " + made
}

// devShm are the files in /dev/shm. The directory is the machine's: what is called
// mptest.PID.… is of the tests of the process PID, which look for it themselves.
func devShm() map[string]bool {
	found := map[string]bool{}
	entries, _ := os.ReadDir("/dev/shm")
	for _, e := range entries {
		var pid int
		if n, _ := fmt.Sscanf(e.Name(), "mptest.%d.", &pid); n == 0 || pid == os.Getpid() {
			found[e.Name()] = true
		}
	}
	return found
}
