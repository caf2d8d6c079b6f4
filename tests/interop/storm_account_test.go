//go:build interop

package interop

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"multiproc/mp"
)

// account is what the workers wrote down about items. What is promised:
//
//   - An item whose put was acknowledged comes out once. The only exception is
//     one that its getter had in its hands when it was killed: the answer had
//     been read, and not yet written down. So each process that was killed in a
//     get accounts for one item at most.
//   - An item whose putter was killed during the put is there once, or not at
//     all.
//   - A put that gave up has put nothing.
type account struct {
	put, refused map[int]bool // acknowledged, given up
	inPut        map[int]bool // under way when its putter was killed
	got          map[int]int  // how often it came
	inGet        int          // processes that were killed in a get
	finished     int          // workers that ended in order
	repairs      int
	errors       []string
}

func (s *storm) account() {
	t := s.t
	t.Helper()
	a := &account{put: map[int]bool{}, refused: map[int]bool{}, inPut: map[int]bool{}, got: map[int]int{}}
	files, err := filepath.Glob(filepath.Join(s.directory, "*.log"))
	must(t, err)
	for _, name := range files {
		must(t, a.read(name))
	}
	for _, line := range a.errors {
		t.Errorf("a worker: %s", line)
	}
	if a.finished != 8 || len(s.killed) != s.next-firstVictim {
		t.Errorf("%d workers ended in order and %d were killed", a.finished, len(s.killed))
	}
	received := len(a.got)
	for {
		it, err := s.items.TryGet(t.Context())
		if errors.Is(err, mp.ErrEmpty) {
			break
		}
		must(t, err)
		a.got[it.ID]++
	}
	lost, extra := 0, 0
	for id, n := range a.got {
		switch {
		case n != 1:
			t.Errorf("item %d came %d times", id, n)
		case a.inPut[id]:
			extra++
		case !a.put[id]:
			t.Errorf("item %d came, but was not put; refused: %v", id, a.refused[id])
		}
	}
	for id := range a.put {
		if a.got[id] == 0 {
			lost++
		}
	}
	t.Logf("%d items put and %d received, %d were left; %d killed in a get had %d of them in hand; %d killed in a put, %d of which had put; %d repairs",
		len(a.put), received, len(a.got)-received, a.inGet, lost, len(a.inPut), extra, a.repairs)
	if lost > a.inGet {
		t.Errorf("%d items are lost, but only %d processes were killed in a get", lost, a.inGet)
	}
	if len(a.put) == 0 || received == 0 || a.inGet == 0 || a.repairs == 0 {
		t.Error("the storm was none")
	}
}

// read reads what one worker wrote.
func (a *account) read(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	getting, putting := false, 0
	for lines.Scan() {
		what, rest := lines.Text(), ""
		if i := strings.LastIndexByte(what, ' '); i >= 0 && !strings.HasPrefix(what, "error") {
			what, rest = what[:i], what[i+1:]
		}
		id := 0
		if rest != "" {
			if _, err := fmt.Sscan(rest, &id); err != nil {
				return err
			}
		}
		switch what {
		case "put":
			putting = id
		case "has put":
			a.put[id], putting = true, 0
		case "full":
			a.refused[id], putting = true, 0
		case "get":
			getting = true
		case "got":
			a.got[id]++
			getting = false
		case "empty":
			getting = false
		case "repair":
			a.repairs++
		case "done":
			a.finished++
		default:
			a.errors = append(a.errors, filepath.Base(name)+": "+lines.Text())
		}
	}
	if getting {
		a.inGet++
	}
	if putting != 0 {
		a.inPut[putting] = true
	}
	return lines.Err()
}
