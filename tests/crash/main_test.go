//go:build mpcrash

package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"multiproc/internal/childtest"
	"multiproc/mp"
	"multiproc/mptest"
)

func TestMain(m *testing.M) { mptest.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// closing closes a handle at the end of the test.
func closing[C interface{ Close() error }](t testing.TB, c C, err error) C {
	t.Helper()
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// die runs a task that arms itself, and checks that it was killed there.
func die[A any](t *testing.T, task *mp.Task[A, mp.None], args A) (pid int, death time.Time) {
	t.Helper()
	p, err := task.Start(context.Background(), args)
	must(t, err)
	return killed(t, p)
}

func killed(t *testing.T, p mp.Child) (pid int, death time.Time) {
	t.Helper()
	err := p.Wait(t.Context())
	var exit *mp.ExitError
	if !errors.As(err, &exit) || exit.State.Signal != syscall.SIGKILL {
		t.Fatalf("the victim did not come to the point: %v", err)
	}
	return p.PID(), time.Now()
}

// The time that survivors stood still, for the requirement that they go on
// within 100 ms.
var stalls struct {
	sync.Mutex
	list []time.Duration
	name []string
}

// tolerance is what a single stall may be on a machine that does other things
// at the same time; the median is held to the requirement itself.
const (
	requirement = 100 * time.Millisecond
	tolerance   = 2 * time.Second
)

func stalled(t *testing.T, d time.Duration) {
	t.Helper()
	stalls.Lock()
	defer stalls.Unlock()
	stalls.list = append(stalls.list, d)
	stalls.name = append(stalls.name, t.Name())
	if d > tolerance {
		t.Errorf("the survivors stood still for %v", d)
	}
}

// points finds the names of all failpoints in the source.
func points(t *testing.T) []string {
	t.Helper()
	hit := regexp.MustCompile(`failpoint\.Hit\("([^"]+)"\)`)
	var names []string
	for _, dir := range []string{"../../internal", "../../mp", "../../pool"} {
		must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			for _, m := range hit.FindAllSubmatch(b, -1) {
				names = append(names, string(m[1]))
			}
			return err
		}))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// covered says which test kills at which point.
func covered() map[string]func(*testing.T, string) {
	all := map[string]func(*testing.T, string){}
	add := func(f func(*testing.T, string), names ...string) {
		for _, n := range names {
			all[n] = f
		}
	}
	add(putter, "lock.pending", "lock.taken", "lock.pushed", "lock.done", "unlock.pending", "unlock.removed", "unlock.released",
		"unlock.done", "put.locked", "put.quick", "put.copied", "put.published", "put.unlocked",
		"put.refreshed.head", "put.refreshed",
		"put.grow.flushed", "put.grow.start", "put.grow.ended", "put.grown")
	add(waker, "event.bumped")
	add(rewinder, "put.rewound.head", "put.rewound.tail")
	add(batchPutter, "put.burst")
	add(getter, "get.locked", "get.cached", "get.quick", "get.copied", "get.taken", "get.unlocked", "get.punched", "get.returned", "get.entered", "event.entered")
	add(batchGetter, "get.burst")
	add(closer, "put.closed")
	add(receiver, "lease.grown", "lease.filled", "lease.noted", "lease.taken", "lease.counted", "lease.again", "lease.lent", "lease.acked",
		"lease.trimmed", "lease.delayed", "lease.returned", "lease.extended", "lease.back", "lease.looked", "lease.got",
		"lease.burying", "lease.unearthed", "lease.buried", "lease.spared")
	add(leaseHeir, "lease.undone", "lease.mended")
	add(putHeir, "put.mended")
	add(getHeir, "get.mended")
	add(updater, "resident.noded", "value.copied", "value.prepared", "value.published")
	add(overtaken, "turn.taken", "turn.ended")
	add(storer, "element.value", "element.journal", "element.stored", "element.done")
	add(storeHeir, "element.mended")
	add(arrayWriter, "rw.drained", "rw.writing", "rw.written")
	add(arrayReader, "rw.reading", "rw.read")
	add(poisoner, "poison.pid", "poison.done")
	add(repairer, "poison.healed")
	add(holder, "holders.counted", "holders.vacated", "holders.named", "holders.entered", "holders.used", "holders.added")
	add(parcelPutter, "parcel.offered", "parcel.put", "parcel.committed")
	add(parcelTaker, "parcel.fetched", "parcel.taken", "parcel.settled")
	add(answerer, "result.offered", "result.sent")
	add(beginner, "table.life")
	add(server, "table.serving")
	add(starter, "table.reserved", "table.aged")
	add(poolWorker, "pool.order.begun", "pool.item.claimed", "pool.item.done", "pool.item.published", "pool.room", "pool.order.done")
	add(acquirer, "semaphore.opened", "semaphore.high", "semaphore.taken", "semaphore.counted")
	add(signaller, "semaphore.based", "semaphore.added")
	add(debtor, "semaphore.next", "semaphore.passing", "semaphore.passed.base", "semaphore.passed.from", "semaphore.passed.to", "semaphore.passed")
	add(liner, "semaphore.ticket", "semaphore.place", "semaphore.left")
	add(undertaker, "semaphore.closed")
	add(lineSweeper, "semaphore.swept")
	add(counter, "semaphore.mended")
	add(arriver, "barrier.high", "barrier.cleared", "barrier.entered", "barrier.arrived", "barrier.counted")
	add(lastArriver, "barrier.next", "barrier.none")
	add(breaker, "barrier.broken")
	add(resetter, "barrier.reset")
	add(barrierHeir, "barrier.mended")
	add(flagger, "flag.set", "flag.cleared")
	add(thronged, "resident.removed", "resident.late")
	add(libraryReader, "rwlock.high", "rwlock.opened", "rwlock.read", "rwlock.unread")
	add(libraryBarred, "rwlock.left", "rwlock.waiting", "rwlock.waited")
	add(libraryWaiter, "rwlock.barring", "rwlock.barred")
	add(libraryWriter, "rwlock.writing", "rwlock.unbarred")
	add(libraryHeir, "rwlock.named", "rwlock.mended")
	add(libraryRepairer, "rwlock.healed")
	add(adder, "waitgroup.high", "waitgroup.opened", "waitgroup.turned")
	add(addOrDo, "waitgroup.owed", "waitgroup.counted")
	add(taker, "waitgroup.next", "waitgroup.passing", "waitgroup.passed.from", "waitgroup.passed.to", "waitgroup.passed")
	add(loser, "waitgroup.noting", "waitgroup.noted")
	add(recounter, "waitgroup.mended")
	add(onceDoer, "once.done")
	add(standing, "cond.ticket", "cond.high", "cond.joined", "cond.waking", "cond.left")
	add(condSignaller, "cond.signalled", "cond.all")
	add(condSweeper, "cond.swept")
	add(condPasser, "cond.passed")
	add(both(editor, pager), "arena.written", "arena.committed", "arena.applied", "arena.done")
	add(editor, "dict.clock", "dict.updated", "dict.filled")
	add(appender, "list.placed", "list.appended")
	add(timer, "dict.least", "dict.due")
	add(redoer, "arena.redone")
	add(grower, "dict.table")
	add(batcher, "dict.batch", "dict.batched", "dict.finished")
	add(clearer, "dict.cleared")
	add(teller, "dict.ring", "dict.oldest", "dict.numbered")
	add(enlarger, "dict.longer")
	add(watcher, "dict.placed", "dict.watched", "dict.left", "dict.abandoned", "dict.cleaning", "dict.cleaned", "dict.unwatched")
	add(burier, "dict.buried")
	return all
}

// both kills in two kinds of objects that have a point in common.
func both(f, g func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, point string) {
		f(t, point)
		g(t, point)
	}
}

// TestEveryPoint fails for a failpoint that nobody is killed at, and for one
// that is gone.
func TestEveryPoint(t *testing.T) {
	tests := covered()
	names := points(t)
	for name := range tests {
		if !slices.Contains(names, name) {
			t.Errorf("there is no failpoint %s any more", name)
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			test := tests[name]
			if test == nil {
				t.Fatal("no test kills a process at this point")
			}
			for range 3 {
				test(t, name)
			}
		})
	}
	report(t)
}

func report(t *testing.T) {
	t.Helper()
	if len(stalls.list) == 0 {
		return
	}
	sorted := slices.Sorted(slices.Values(stalls.list))
	median, longest := sorted[len(sorted)/2], sorted[len(sorted)-1]
	where := stalls.name[slices.Index(stalls.list, longest)]
	t.Logf("survivors stood still for %v (median) to %v (%s), %d deaths", median, longest, where, len(sorted))
	childtest.Tally(t, 0, len(sorted), longest)
	fmt.Printf("recovery: median %v, maximum %v (%s), %d deaths\n", median, longest, where, len(sorted))
	if median > requirement {
		t.Errorf("the median is above %v", requirement)
	}
}
