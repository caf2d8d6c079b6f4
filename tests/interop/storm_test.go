//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/manager"
	"multiproc/mp"
	"multiproc/mptest"
)

// storm is the tests' side of the storm.
type storm struct {
	t         *testing.T
	s         *testServer
	m         *manager.Manager
	probe     probe
	directory string
	tools     map[string]*manager.Object
	items     *mp.Queue[item]
	shelf     *mp.List[*shelved]
	inside    *mp.Dict[string, int]
	mutex     *mp.Mutex
	born      *mp.Queue[int]
	nurseries []*nursery
	killed    map[int]bool // by number
	next      int          // number of the next victim
}

// nursery is a Python program that makes victims: a CPython that has its
// modules already starts in a tenth of the time.
type nursery struct {
	*pyconntest.Script
	orders *os.File
}

// stall is how long the storm may stand still.
const stall = 30 * time.Second

// Victims have numbers from here on; below are those who live.
const firstVictim = 100

func newStorm(t *testing.T, kind string) *storm {
	t.Helper()
	s := &storm{t: t, s: startServer(t, kind), directory: t.TempDir(), killed: map[int]bool{}, next: firstVictim}
	s.m = s.s.dial(t)
	s.probe = s.s.probe(t, s.m)
	in := mp.In(s.m)
	items, err := mp.NewQueue[item](64, in, mp.WithName("items"))
	s.items = closing(t, items, err)
	shelf, err := mp.NewList[*shelved](in, mp.WithName("shelf"))
	s.shelf = closing(t, shelf, err)
	inside, err := mp.NewDict[string, int](in, mp.WithName("inside"))
	s.inside = closing(t, inside, err)
	mutex, err := mp.NewMutex(in, mp.WithName("mutex"))
	s.mutex = closing(t, mutex, err)
	born, err := mp.NewQueue[int](0, in, mp.WithName("born"))
	s.born = closing(t, born, err)
	shared := tools(t, s.m, map[string]string{"stop": "Event", "rlock": "RLock", "condition": "Condition", "event": "Event"})
	tools(t, s.m, map[string]string{"semaphore": "Semaphore"}, 3)
	tools(t, s.m, map[string]string{"bounded": "BoundedSemaphore"}, 2)
	s.tools, err = shared.Copy(t.Context())
	must(t, err)
	for _, o := range s.tools {
		closing(t, o, nil)
	}
	return s
}

// call calls a method of a tool.
func (s *storm) call(tool, method string, args ...any) bool {
	s.t.Helper()
	yes, err := manager.Call[*bool](s.t.Context(), s.tools[tool], method, args...)
	if err != nil {
		s.t.Fatalf("%s.%s: %v", tool, method, err)
	}
	return yes != nil && *yes
}

func (s *storm) nurse(p python) {
	s.t.Helper()
	name := fmt.Sprintf("orders %d", len(s.nurseries)) // with one Python both are of that
	fifo := filepath.Join(s.directory, name)
	must(s.t, syscall.Mkfifo(fifo, 0o600))
	orders, err := os.OpenFile(fifo, os.O_RDWR, 0)
	closing(s.t, orders, err)
	script := p.start(s.t, s.s, "victim", s.directory, "nursery", name)
	script.Want("ready")
	s.nurseries = append(s.nurseries, &nursery{script, orders})
}

func (s *storm) work(number int) stormWork {
	return stormWork{s.s.address, s.s.key, s.directory, number}
}

// victim starts a victim and returns what kills it.
func (s *storm) victim(number int) (kill func()) {
	s.t.Helper()
	if number%2 == 0 {
		p, err := Victim.Start(context.Background(), s.work(number))
		must(s.t, err)
		return func() {
			must(s.t, p.Kill())
			var exit *mp.ExitError
			if err := p.Wait(s.t.Context()); !errors.As(err, &exit) || exit.State.Signal != syscall.SIGKILL {
				s.t.Fatalf("victim %d ended before it was killed: %v", number, err)
			}
		}
	}
	n := s.nurseries[number/2%len(s.nurseries)]
	_, err := fmt.Fprintf(n.orders, "%-8d", number)
	must(s.t, err)
	pid, err := strconv.Atoi(n.Line())
	must(s.t, err)
	return func() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			s.t.Fatalf("victim %d ended before it was killed: %v", number, err)
		}
	}
}

// kill kills as many victims as n, each at a random moment of its work, some
// of them at the same time.
func (s *storm) kill(n int) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	born, due, failed := make(chan int), make(chan int, 8), make(chan error, 1)
	reader := make(chan struct{})
	go func() {
		defer close(reader)
		for {
			number, err := s.born.Get(ctx)
			if err != nil {
				failed <- err
				return
			}
			if number >= firstVictim {
				born <- number
			}
		}
	}()
	defer func() { cancel(); <-reader }()

	live := map[int]func(){}
	begin := func() { live[s.next] = s.victim(s.next); s.next++ }
	for range min(4, n) {
		begin()
	}
	last := time.NewTimer(stall)
	defer last.Stop()
	for left := n; left > 0; {
		select {
		case number := <-born:
			time.AfterFunc(time.Duration(rand.IntN(30_000))*time.Microsecond, func() { due <- number })
		case number := <-due:
			live[number]()
			s.killed[number] = true
			delete(live, number)
			if left--; left >= len(live)+1 {
				begin()
			}
			last.Reset(stall)
		case err := <-failed:
			s.t.Fatalf("%d kills to come: %v", left, err)
		case <-last.C:
			for number := range live {
				says, _ := os.ReadFile(logOf(s.directory, number))
				s.t.Errorf("victim %d: %s", number, says)
			}
			s.t.Fatalf("%d kills to come, and no victim comes to life", left)
		}
	}
}

// Clients are killed at random while others work. Nothing stays locked, no
// item is lost or comes twice, nothing is left at the server.
func TestStorm(t *testing.T) {
	for kind, kills := range map[string]int{"unix": 500, "tcp": 500} {
		t.Run(kind, func(t *testing.T) { stormOver(t, kind, kills) })
	}
}

func stormOver(t *testing.T, kind string, kills int) {
	all := pythons(t)
	s := newStorm(t, kind)
	for _, p := range []python{all[0], all[len(all)-1]} {
		s.nurse(p)
	}
	objects, err := s.m.Objects(t.Context())
	must(t, err)
	goroutines, heap := s.probe.ask("Goroutines"), s.probe.ask("Heap")

	var others []*mp.Process[mp.None]
	var scripts []*pyconntest.Script
	for i := range 4 {
		p, err := Victim.Start(context.Background(), s.work(i))
		must(t, err)
		others = append(others, p)
		scripts = append(scripts, all[i%len(all)].start(t, s.s, "victim", s.directory, fmt.Sprint(10+i)))
	}
	began := time.Now()
	s.kill(kills / 5)
	early := s.s.status(t, "VmRSS")
	s.kill(kills - kills/5)
	late := s.s.status(t, "VmRSS")
	t.Logf("%d kills in %v; the server's memory: %d KiB after a fifth of them, %d KiB at the end", kills, time.Since(began), early, late)
	if late > early+32<<10 {
		t.Errorf("the server's memory grew from %d to %d KiB", early, late)
	}

	s.call("stop", "set")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, p := range others {
		if err := p.Wait(ctx); err != nil {
			state, _ := s.m.Debug(t.Context())
			t.Fatalf("one of those who are not killed does not end: %v\n%s", err, state)
		}
	}
	for _, p := range scripts {
		p.Want("done")
		p.Ended()
	}
	s.nothingHeld()
	s.account()
	s.nothingLeft(objects, goroutines, heap)
}

// nothingHeld acquires everything.
func (s *storm) nothingHeld() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	var died *mp.OwnerDiedError
	if err := s.mutex.Lock(ctx); errors.As(err, &died) {
		must(s.t, s.mutex.Repair(ctx, func() error { return nil }))
	} else {
		must(s.t, err)
		s.mutex.Unlock()
	}
	for tool, times := range map[string]int{"rlock": 2, "condition": 1, "semaphore": 3, "bounded": 2} {
		for i := range times {
			if !s.call(tool, "acquire", true, 20.0) {
				s.t.Errorf("%s: only %d of %d can be acquired", tool, i, times)
			}
		}
		if s.tools[tool].Type() != "RLock" && s.tools[tool].Type() != "Condition" && s.call(tool, "acquire", false) {
			s.t.Errorf("%s can be acquired %d times", tool, times+1)
		}
		for range times {
			s.call(tool, "release")
		}
	}
}

// nothingLeft empties what is shared and looks what remains.
func (s *storm) nothingLeft(objects, goroutines, heap int) {
	t := s.t
	t.Helper()
	must(t, s.shelf.Clear(t.Context()))
	must(t, s.inside.Clear(t.Context()))
	n := 0
	mptest.Eventually(t, func() (ok bool) {
		var err error
		n, err = s.m.Objects(t.Context())
		must(t, err)
		return n == objects
	}, "the server has %d objects with references again", objects)
	mptest.Eventually(t, func() bool { return s.probe.ask("Goroutines") <= goroutines }, "there are %d goroutines again", goroutines)
	mptest.Eventually(t, func() bool { return s.probe.ask("Heap") <= heap+4<<20 }, "the heap is near %d again", heap)
	t.Logf("%d objects, %d goroutines, heap from %d to %d KiB", n, goroutines, heap>>10, s.probe.ask("Heap")>>10)
}
