package mp

import (
	"multiproc/internal/spawn"
	"multiproc/internal/table"
)

// Programs says what becomes of the programs that a task has started, with
// os/exec or in any other way, and of what those have started, when the task's
// process ends. Tasks that it has started are not meant: they are told that
// their starter is gone.
//
// The programs are found by a mark that they inherit, so it does not matter who
// their parent is by then, and how the process has ended. They get SIGKILL, and
// are no more when Done is closed. A program that may not be killed, because it
// runs as another user, goes on.
type Programs int

const (
	// EndPrograms, the zero value, ends them with a task that was cancelled, was
	// killed, panicked, or ended without an answer: nobody is left who would.
	// What a task has started and that still runs when it returns goes on, as
	// after any program's end; and so does in every case a program that has made
	// itself a session of its own (setsid), as daemons do.
	EndPrograms Programs = iota

	// LeavePrograms leaves them alone.
	LeavePrograms

	// EndAllPrograms ends them however the task ends, and daemons with them.
	EndAllPrograms
)

// endPrograms kills what a task of the family has started, as its mark says.
// pid is the task's, which may be a session's id as well.
func endPrograms(f *family, ref table.Ref, pid int) {
	id, own := f.table.Family(), spawn.Session()
	spawn.EndMarked(func(m uint64, session func() int) bool {
		if m := mark(m); !m.from(id, ref) || m.programs() == LeavePrograms {
			return false
		}
		s := session()
		return mark(m).programs() == EndAllPrograms || s == own || s == pid
	})
}
