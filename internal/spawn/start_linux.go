package spawn

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// selfExe is this process's program, whatever has its name on disk by now.
const selfExe = "/proc/self/exe"

// deathSignal is what the kernel sends to a child when its starter is gone,
// until the child asks for something milder with Soften. Before that it has
// nothing to tidy up, and SIGKILL reaches one that hangs in its package
// initialization, or that somebody has stopped.
const deathSignal = syscall.SIGKILL

// request is one fork and exec, made ready by Start and done by the spawner.
type request struct {
	path string
	argv []string
	attr syscall.ProcAttr
	p    *Process
	err  error
	done chan struct{}
}

// spawner is the goroutine that starts all children of this process.
//
// PDEATHSIG fires when the *thread* ends that forked, not when the process
// does (go.dev/issue/27505). The Go runtime ends a thread whenever a goroutine
// returns that is locked to it, and a child started there would be terminated
// for no reason. So one goroutine locks its thread, starts every child from
// it, and never returns.
//
// Starts are therefore one at a time. Little is lost: fork holds
// syscall.ForkLock exclusively in any case, and for the time until the exec
// (vfork) its thread is suspended by the kernel.
var spawner = sync.OnceValue(func() chan<- *request {
	requests := make(chan *request)
	go func() {
		runtime.LockOSThread()
		for r := range requests {
			r.run()
			close(r.done)
		}
	}()
	return requests
})

// starting is held shared while a child is born and entered among the
// children that Start has started: Strays must not take it for a stray.
var starting sync.RWMutex

// started are the children that are not reaped, by pid.
var started sync.Map // of *Process

func (r *request) run() {
	starting.RLock()
	defer starting.RUnlock()
	pid, pidFD, err := fork(r.path, r.argv, r.attr)
	if err != nil {
		r.err = err
		return
	}
	r.p = newProcess(pid, pidFD)
	started.Store(pid, r.p)
	go r.p.watch()
}

// noClonePidFD and noDeathSignal are set once the kernel has refused them.
var noClonePidFD, noDeathSignal atomic.Bool

// fork starts the program, from this thread. pidFD is -1 where there are none.
func fork(path string, argv []string, attr syscall.ProcAttr) (pid, pidFD int, err error) {
	// Old kernels ignore CLONE_PIDFD, but a sandbox may look at the flags of a
	// clone; and it may refuse prctl, which the child calls before its exec. All
	// that shows is one error. Whether it was for their sake is known when a
	// start without them works.
	for _, without := range []struct{ pidFD, signal bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		if noClonePidFD.Load() && !without.pidFD || noDeathSignal.Load() && !without.signal {
			continue
		}
		pidFD = -1
		attr.Sys = &syscall.SysProcAttr{}
		if !without.pidFD {
			attr.Sys.PidFD = &pidFD
		}
		if !without.signal {
			attr.Sys.Pdeathsig = deathSignal
		}
		pid, err = sys.forkExec(path, argv, &attr)
		if err == nil {
			noClonePidFD.Store(without.pidFD)
			noDeathSignal.Store(without.signal)
			break
		}
		if !refused(err) {
			return 0, -1, err
		}
	}
	if err != nil {
		return 0, -1, err
	}
	if pidFD < 0 {
		// Not yet reaped, so the pid is the child's.
		if pidFD, err = sys.pidfdOpen(pid, 0); err != nil {
			pidFD = -1
		}
	}
	return pid, pidFD, nil
}

// Start starts a process and returns once its program runs. Several calls may
// run at the same time. After an error there is no process, and nothing is
// open that was not before.
//
// It costs about a millisecond, nearly all of it in the kernel's exec.
func Start(spec Spec) (*Process, error) {
	r := &request{path: spec.Path, argv: spec.Args, done: make(chan struct{})}
	if r.path == "" {
		r.path = selfExe
	}
	if r.argv == nil {
		r.argv = os.Args
	}
	r.attr.Env = lastWins(spec.Env)
	if spec.Env == nil {
		r.attr.Env = os.Environ()
	}
	r.attr.Dir = spec.Dir

	files, release, err := spec.files()
	if err != nil {
		return nil, fmt.Errorf("spawn: start %s: %w", r.path, err)
	}
	r.attr.Files = files
	spawner() <- r
	<-r.done
	release()

	if r.err != nil {
		return nil, fmt.Errorf("spawn: start %s: %w", r.path, spec.explain(r.err))
	}
	return r.p, nil
}

// files lists the child's descriptors from 0 on. They stay open until release
// is called.
func (spec *Spec) files() (list []uintptr, release func(), err error) {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, &fs.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	defer func() {
		if err != nil {
			_ = unix.Close(null)
		}
	}()

	const none = ^uintptr(0) // what File.Fd returns for a closed or nil file
	given := []*os.File{spec.Stdin, spec.Stdout, spec.Stderr}
	inherited := make([]*os.File, len(given))
	for i, f := range given {
		if f == nil {
			// Looked at only where they are meant: they are variables that
			// another goroutine may be setting.
			switch i {
			case 1:
				inherited[i] = os.Stdout
			case 2:
				inherited[i] = os.Stderr
			}
			f = inherited[i]
		}
		fd := f.Fd()
		if fd == none && given[i] != nil {
			return nil, nil, fmt.Errorf("the file for descriptor %d: %w", i, os.ErrClosed)
		}
		if fd == none {
			// Never leave one of the three closed: the first file that the
			// child opened would take its place, and be written over by
			// whatever the child prints.
			fd = uintptr(null)
		}
		list = append(list, fd)
	}
	for i, fd := range spec.Extra {
		if fd < 0 {
			// ForkExec would take it for "close number i+3".
			return nil, nil, fmt.Errorf("extra descriptor %d is %d: %w", i+3, fd, unix.EBADF)
		}
		list = append(list, uintptr(fd))
	}
	return list, func() {
		_ = unix.Close(null)
		runtime.KeepAlive(given)
		runtime.KeepAlive(inherited) // os.Stdout may hold another file by now
	}, nil
}

// lastWins drops what a later entry for the same key overrides. execve passes
// both on, and the Go runtime of the child would take the first: a program
// that appends to os.Environ would not get what it asked for.
func lastWins(env []string) []string {
	seen := make(map[string]bool, len(env))
	kept := make([]string, 0, len(env))
	for _, entry := range slices.Backward(env) {
		key, _, _ := strings.Cut(entry, "=")
		if !seen[key] {
			kept = append(kept, entry)
		}
		seen[key] = true
	}
	slices.Reverse(kept)
	return kept
}

// explain says what the kernel's bare number was about: fork, chdir and exec
// share one.
func (spec *Spec) explain(err error) error {
	if spec.Dir != "" {
		info, serr := os.Stat(spec.Dir)
		if serr == nil && !info.IsDir() {
			serr = &fs.PathError{Op: "chdir", Path: spec.Dir, Err: unix.ENOTDIR}
		}
		if serr != nil {
			return fmt.Errorf("its directory: %w", serr)
		}
	}
	if _, serr := os.Lstat(selfExe); spec.Path == "" && errors.Is(err, fs.ErrNotExist) && serr != nil {
		return fmt.Errorf("%w: /proc is not mounted here, and a program is started again by /proc/self/exe: mount -t proc proc /proc", err)
	}
	if errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("%w: too many processes or threads (RLIMIT_NPROC, see ulimit -u, and the cgroup's pids.max)", err)
	}
	return err
}
