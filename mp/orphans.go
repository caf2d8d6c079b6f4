package mp

import (
	"os"
	"os/signal"
	"sync"
	"time"

	"multiproc/internal/spawn"
	"multiproc/internal/table"
)

// orphanage is the root's care for processes whose starter is dead. They know
// by themselves that they have to go; but one may be stopped, or deaf, nobody
// reaps it where the family's first process is also that of its container, and
// nobody releases its slot and tells the family of its death.
type orphanage struct {
	f     *family
	own   uint64        // the mark that this process has itself
	look  chan struct{} // capacity 1: there may be something to do
	begin sync.Once
	due   map[table.Ref]time.Time // when an orphan is killed
}

func newOrphanage(f *family) *orphanage {
	return &orphanage{f: f, own: spawn.MarkOf(os.Getpid()), look: make(chan struct{}, 1), due: map[table.Ref]time.Time{}}
}

// open begins the care, when there can be an orphan for the first time: a
// child of this process starts a child of its own.
//
// From then on this process inherits the children of all that die below it,
// also those that are not the family's. Earlier it would do so for nothing.
func (o *orphanage) open() {
	o.begin.Do(func() {
		_ = spawn.Inherit() // if refused, the container's first process reaps
		// A dead child that was inherited shows in no other way. If the program
		// ignores the signal the kernel reaps, and it shall stay so.
		if !signal.Ignored(spawn.ChildEnded) {
			dead := make(chan os.Signal, 1)
			signal.Notify(dead, spawn.ChildEnded)
			go o.hear(dead)
		}
		go o.run()
	})
}

func (o *orphanage) hear(dead <-chan os.Signal) {
	for range dead {
		o.poke()
	}
}

// poke makes the orphanage look, soon.
func (o *orphanage) poke() {
	select {
	case o.look <- struct{}{}:
	default:
	}
}

// orphanWatch is how often the orphanage looks whether those are gone that it
// has killed: it may not be their parent, and hear nothing.
const orphanWatch = 50 * time.Millisecond

func (o *orphanage) run() {
	again := time.NewTimer(time.Hour)
	for {
		select {
		case <-o.look:
		case <-again.C:
		}
		o.reap()
		again.Stop()
		if next, any := o.tend(time.Now()); any {
			again.Reset(next)
		}
	}
}

// reap reaps the dead that this process has inherited: members of the family,
// and programs that tasks had started.
func (o *orphanage) reap() {
	byPID := map[int]table.Orphan{}
	for _, orphan := range o.f.table.Orphans() {
		byPID[orphan.PID] = orphan
	}
	// Where there are no marks the table alone says who is an orphan.
	known := func(pid int, m uint64) bool {
		orphan, ok := byPID[pid]
		return ok && (m == 0 || mark(m).from(o.f.table.Family(), orphan.Ref))
	}
	match := func(pid int, m uint64) bool { return o.stray(m) || known(pid, m) }
	spawn.ReapStrays(match, func(pid int, m uint64, _ spawn.State) {
		if orphan := byPID[pid]; known(pid, m) {
			o.release(orphan)
		}
	})
}

// stray reports whether a child with this mark can only have been inherited.
// What this process starts by itself has the mark that it has itself, mostly
// none. Others have marked themselves, or inherited a mark below: members of
// this family or of one within it, and what their tasks have started.
func (o *orphanage) stray(m uint64) bool { return m&markSet != 0 && m != o.own }

// release announces the death of an orphan, and ends what it has started.
func (o *orphanage) release(orphan table.Orphan) {
	endPrograms(o.f, orphan.Ref, orphan.PID)
	delete(o.due, orphan.Ref)
	o.f.table.Release(orphan.Ref)
}

// tend kills the orphans whose time is over and releases the slots of those
// that are gone. It returns when it wants to look again.
func (o *orphanage) tend(now time.Time) (next time.Duration, any bool) {
	next = time.Hour
	seen := map[table.Ref]bool{}
	for _, orphan := range o.f.table.Orphans() {
		if !o.exists(orphan) {
			o.release(orphan)
			continue
		}
		seen[orphan.Ref], any = true, true
		due, known := o.due[orphan.Ref]
		if !known {
			due = now.Add(orphanGrace)
			if orphan.Serving {
				due = due.Add(orphanGrace) // it goes after the others
			}
			o.due[orphan.Ref] = due
		}
		left := due.Sub(now)
		if left <= 0 {
			spawn.KillMarked(orphan.PID, func(m uint64) bool { return o.is(orphan, m) })
			left = orphanWatch
		}
		next = min(next, left)
	}
	for ref := range o.due {
		if !seen[ref] { // it ended by itself, and was released by who needed its slot
			delete(o.due, ref)
		}
	}
	return next, any
}

// exists reports whether an orphan's process is still there, as a zombie
// perhaps. One that never came as far as to enter its pid is not waited for:
// the kernel has killed it with its starter.
func (o *orphanage) exists(orphan table.Orphan) bool {
	return orphan.PID != 0 && o.is(orphan, spawn.MarkOf(orphan.PID))
}

// is reports whether a process with an orphan's pid and this mark is the
// orphan. Where there are no marks its life lock says so, but not of a zombie.
func (o *orphanage) is(orphan table.Orphan, m uint64) bool {
	return mark(m).from(o.f.table.Family(), orphan.Ref) || m&markSet == 0 && o.f.table.Live(orphan.Ref)
}
