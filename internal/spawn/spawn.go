// Package spawn starts, watches and ends one child process, without a thread
// for each and without mistaking a reused pid for it.
//
// It knows nothing of tasks or sockets: a Spec is a program, its descriptors
// and its surroundings; a Process is what came of it. The package os/exec is
// not used. It would be in every child process, it copies streams with
// goroutines of its own, and it cannot start from one chosen thread, which
// PDEATHSIG needs.
package spawn

import (
	"os"
	"syscall"
	"time"
)

// Spec describes a process to start. The zero value starts this very program
// again, with the same arguments, environment and directory, no input, and
// our output.
type Spec struct {
	// Path is the program's file, "" means /proc/self/exe: the file that this
	// process runs, even if another one has its name by now. A relative path
	// starts from Dir.
	Path string

	Args []string // with the program's name in front; nil means os.Args
	Env  []string // "key=value", the last one of a key counts; nil means os.Environ()
	Dir  string   // "" means the current directory

	// Stdin nil means /dev/null; Stdout or Stderr nil mean what os.Stdout or
	// os.Stderr hold at the time of Start, or /dev/null if that is closed.
	// Start puts these files into blocking mode, as os/exec does: parent and
	// child share the mode, and most programs cannot cope with the other one.
	Stdin, Stdout, Stderr *os.File

	// Extra are the descriptors to appear in the child as 3, 4 and so on.
	// They stay the caller's, and can be closed once Start has returned.
	Extra []int
}

// State is what became of a process.
type State struct {
	Running bool

	// ExitCode is -1 for a process that runs or was ended by a signal, and if
	// the status is unknown.
	ExitCode int
	Signal   syscall.Signal // that ended it, 0 if none did

	// Unknown says that the process has ended, and somebody else took its exit
	// status away: SIGCHLD is ignored, or foreign code in this process calls
	// wait for any child. Nothing below is known then, either.
	Unknown bool

	// User and System are processor times, with those of the children that the
	// process has waited for.
	User, System time.Duration

	// MaxRSS is the largest memory in use at one time, in bytes. The kernel
	// counts from before the exec, when the child still shared our memory:
	// it is never below what this process itself had in use at Start.
	MaxRSS int64
}
