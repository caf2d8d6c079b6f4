//go:build linux

package mp_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
	"multiproc/mptest"
)

func openFDs() (int, error) {
	list, err := os.ReadDir("/proc/self/fd")
	return len(list), err
}

func mappings(t testing.TB) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	must(t, err)
	return strings.Count(string(b), "/memfd:mp:")
}

func threads(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/task")
	must(t, err)
	return len(list)
}

type made interface{ Close() error }

// kinds make one object of each kind, and touch it.
var kinds = []struct {
	name string
	make func() (made, error)
}{
	{"queue", func() (made, error) {
		q, err := mp.NewQueue[int](1)
		if err == nil {
			err = q.TryPut(context.Background(), 1)
		}
		return q, err
	}},
	{"pipe", func() (made, error) {
		a, b, err := mp.Pipe[string, string]()
		if err == nil {
			err = b.Close()
		}
		return a, err
	}},
	{"value", func() (made, error) { return mp.NewValue([4]int{1}) }},
	{"counter", func() (made, error) { return mp.NewCounter(1) }},
	{"array", func() (made, error) { return mp.ArrayOf(1, 2, 3) }},
	{"mutex", func() (made, error) {
		m, err := mp.NewMutex()
		if err == nil {
			_, err = m.TryLock(context.Background())
			m.Unlock()
		}
		return m, err
	}},
	{"raw value", func() (made, error) { return mp.NewRawValue(1) }},
	{"raw array", func() (made, error) { return mp.NewRawArray[int](3) }},
}

// far are kinds in a place.
var far = map[string]func() (made, error){
	"queue": func() (made, error) { return mp.NewQueue[int](1, mp.In(drivertest.Memory())) },
	"value": func() (made, error) { return mp.NewValue(1, mp.In(drivertest.Memory())) },
	"lock":  func() (made, error) { return mp.NewMutex(mp.In(drivertest.Memory())) },
	"dict":  func() (made, error) { return mp.NewDict[int, int](mp.In(drivertest.Memory())) },
	"set":   func() (made, error) { return mp.NewSet[int](mp.In(drivertest.Memory())) },
}

func TestTenThousandOfEach(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 500
	}
	for _, kind := range kinds {
		fds, maps, tasks := get(openFDs())(t), mappings(t), threads(t)
		for range n {
			c, err := kind.make()
			must(t, err)
			must(t, c.Close())
		}
		var f, m int
		mptest.Eventually(t, func() bool {
			runtime.GC()
			f, m = get(openFDs())(t), mappings(t)
			return f <= fds && m <= maps
		}, "%d %ss left %d descriptors and %d mappings, not %v", n, kind.name, fds, maps, fmtPair{&f, &m})
		if now := threads(t); now > tasks+5 {
			t.Errorf("%s: from %d to %d threads", kind.name, tasks, now)
		}
	}
}

type fmtPair struct{ a, b *int }

func (p fmtPair) String() string { return fmt.Sprintf("%d and %d", *p.a, *p.b) }

func TestStartLeavesNothing(t *testing.T) {
	must(t, start(t, Nothing, mp.None{}).Wait(t.Context())) // what only the first one makes
	fds, tasks, routines := get(openFDs())(t), threads(t), runtime.NumGoroutine()
	for range 200 {
		p := get(Nothing.Start(t.Context(), mp.None{}))(t)
		must(t, p.Wait(t.Context()))
	}
	mptest.Eventually(t, func() bool {
		return get(openFDs())(t) <= fds && runtime.NumGoroutine() <= routines
	}, "200 processes left %d descriptors and %d goroutines", fds, routines)
	if now := threads(t); now > tasks+5 {
		t.Errorf("from %d to %d threads", tasks, now)
	}
	if n := len(mp.Children()); n != 0 {
		t.Errorf("%d children", n)
	}
}

// A result that nobody asks for gives its descriptors back all the same.
func TestUnreadResult(t *testing.T) {
	fds := get(openFDs())(t)
	for range 20 {
		p := get(MakeQueue.Start(t.Context(), mp.None{}))(t)
		must(t, p.Wait(t.Context()))
	}
	mptest.Eventually(t, func() bool {
		runtime.GC()
		return get(openFDs())(t) <= fds
	}, "results that were not read left no descriptors")
}

// leaky is a program that forgets one handle of each kind.
func leaky() {
	mp.Init()
	reports := countReports()
	for _, kind := range kinds {
		if _, err := kind.make(); err != nil {
			fmt.Println(err)
		}
	}
	for _, make := range far {
		h, err := make()
		if err != nil {
			fmt.Println(err)
		}
		if closed, err := make(); err != nil || closed.Close() != nil {
			fmt.Println("closed", err)
		}
		runtime.KeepAlive(h)
	}
	if os.Getenv("MPDEBUG") == "" {
		for range 10 {
			runtime.GC()
		}
		return
	}
	for reports.Load() < int32(len(kinds)+len(far)) { // the test ends what hangs
		runtime.GC()
	}
}

// countReports makes standard error count, and pass on, the reports of handles
// that were forgotten.
func countReports() *atomic.Int32 {
	stderr, n := os.Stderr, new(atomic.Int32)
	r, w, err := os.Pipe()
	if err != nil {
		return n
	}
	os.Stderr = w
	go func() {
		lines := bufio.NewReader(r)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = stderr.WriteString(line)
			if strings.Contains(line, " was forgotten") {
				n.Add(1)
			}
		}
	}()
	return n
}

func TestForgottenHandlesAreReported(t *testing.T) {
	_, stderr, _ := output(t, "leaky", "MPDEBUG=leaks")
	for _, kind := range kinds {
		if !strings.Contains(stderr, "multiproc: "+kind.name+" ") {
			t.Errorf("no report of a forgotten %s", kind.name)
		}
	}
	for name := range far {
		if n := strings.Count(stderr, "multiproc: "+name+" 1 was forgotten") + strings.Count(stderr, "multiproc: "+name+" 2 was forgotten"); n != 1 {
			t.Errorf("%d reports of a forgotten %s in a place", n, name)
		}
	}
	if !strings.Contains(stderr, "forgotten without Close") || !strings.Contains(stderr, "leaks_test.go:") {
		t.Errorf("the report does not say where it was made:\n%s", stderr)
	}
	if _, stderr, _ := output(t, "leaky", "MPDEBUG="); stderr != "" {
		t.Errorf("without MPDEBUG: %s", stderr)
	}
}
