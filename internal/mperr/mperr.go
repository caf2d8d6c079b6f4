// Package mperr names the conditions that programs branch on, and lets them
// keep their identity when they cross from one process to another.
//
// It is a leaf: every other package may import it, and it imports none of
// them. Package mp re-exports what users see.
package mperr

import (
	"errors"
	"fmt"
)

// The sentinels. Their texts are part of the public behaviour: they state
// what is true and name no object; callers wrap them with the object's name.
var (
	ErrFull       = errors.New("queue is full")
	ErrEmpty      = errors.New("queue is empty")
	ErrClosed     = errors.New("object is closed")
	ErrTooLarge   = errors.New("record is larger than the byte bound")
	ErrCorrupt    = errors.New("shared memory or message is corrupt")
	ErrForeign    = errors.New("object belongs to another family of processes")
	ErrType       = errors.New("object holds another type")
	ErrOrphaned   = errors.New("the process that started this one is gone")
	ErrTerminated = errors.New("the process got a signal from outside to end")
	ErrDirection  = errors.New("this end of a one-way pipe does not work in that direction")
	ErrNoInit     = errors.New("mp.Init has not run in this process")
	ErrRunning    = errors.New("still running")
	ErrTaskDone   = errors.New("TaskDone called more often than items were put")
	ErrNoHandle   = errors.New("shared object is not known to this family of processes any more")
	ErrBrokenPipe = errors.New("every reader of this pipe is gone")

	// Those of places that are reached over a connection.
	ErrNoKey       = errors.New("no such key")
	ErrIndex       = errors.New("index out of range")
	ErrNoValue     = errors.New("no such value")
	ErrValue       = errors.New("argument has an impossible value")
	ErrNotHeld     = errors.New("lock is not held by the caller")
	ErrOverrun     = errors.New("the watcher was too slow, changes were dropped")
	ErrLimit       = errors.New("a limit is reached")
	ErrAuth        = errors.New("authentication failed")
	ErrBroken      = errors.New("barrier is broken")
	ErrLeaseLost   = errors.New("the lease of the item has ended")
	ErrUnknownFate = errors.New("the connection broke; whether the call was carried out is unknown")
)

// OwnerDiedError says that the process that held an object's lock died while
// it was changing the object in place. The lock is not held by the caller,
// and the object stays unusable until its Repair method succeeds. Of a wait group it
// says that the process died, or ended, with something still to do.
type OwnerDiedError struct {
	Object string // what was locked: "mutex", "array"; "waitgroup"
	PID    int    // the dead holder, 0 if it had not yet left its name
}

// Error names the object, the dead holder and the way out.
func (e *OwnerDiedError) Error() string {
	who := "a process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	if e.Object == "waitgroup" {
		return fmt.Sprintf("%s: %s died or ended with something still to do: that was lost, and what others had to do is done", e.Object, who)
	}
	return fmt.Sprintf("%s: %s died, ended or panicked while it held the lock; the contents may be half changed until Repair succeeds", e.Object, who)
}

// UnsupportedError is what every system facility returns on a platform that
// this module does not support.
type UnsupportedError struct {
	Facility string // "shared memory", "futex"
	Platform string // runtime.GOOS + "/" + runtime.GOARCH
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("multiproc: %s is not available on %s; linux/amd64 and linux/arm64 are supported", e.Facility, e.Platform)
}

// Unwrap makes errors.Is(err, errors.ErrUnsupported) true.
func (e *UnsupportedError) Unwrap() error { return errors.ErrUnsupported }
