//go:build linux

package mp_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"multiproc/mp"
)

// UseSpares keeps spares in a child and ends without giving them up.
var UseSpares = mp.Proc(useSpares)

func useSpares(ctx context.Context, n int) error {
	if err := mp.KeepSpares(n); err != nil {
		return err
	}
	_, err := Nothing.Run(ctx, mp.None{})
	return err
}

// childPIDs lists this process's children.
func childPIDs(t testing.TB) map[int]bool {
	t.Helper()
	list := map[int]bool{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, err)
	for _, path := range stats {
		b, _ := os.ReadFile(path) // it may end meanwhile
		s := string(b)
		if f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:]); len(f) > 1 && f[1] == strconv.Itoa(os.Getpid()) {
			pid, err := strconv.Atoi(strings.Split(path, "/")[2])
			must(t, err)
			list[pid] = true
		}
	}
	return list
}
