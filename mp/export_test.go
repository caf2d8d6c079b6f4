//go:build linux

package mp

import (
	"fmt"
	"os"
	"unsafe"

	"multiproc/internal/codec"
	"multiproc/internal/local"
	"multiproc/internal/shm"
)

// What tests need to see of the inside: the memory of a queue or pipe, and
// the arrival of a handle by another way than the usual ones.

// Declared reports whether a symbol is a function declared at package level.
func Declared(symbol string) bool { return declared(symbol) }

// BodyOf is the memory of an object behind its header, for spoiling it.
func BodyOf(h codec.Handle, n int) []byte {
	seg, release, err := borrow(h)
	if err != nil {
		panic(err)
	}
	defer release()
	mem, err := seg.Map(0, shm.RoundPage(int64(shm.HeaderSize+n)))
	if err != nil {
		panic(err)
	}
	return unsafe.Slice((*byte)(unsafe.Add(mem, shm.HeaderSize)), n)
}

func borrow(h codec.Handle) (*shm.Segment, func(), error) {
	t, ok := travellerOf(h)
	if !ok {
		panic(fmt.Sprintf("%T is no handle", h))
	}
	return t.borrow()
}

// HeaderOf describes the segment of a handle.
func HeaderOf(h codec.Handle) shm.Header {
	seg, release, err := borrow(h)
	if err != nil {
		panic(err)
	}
	defer release()
	return seg.Header
}

// Arrive fills a handle in as if its descriptor had come beside a message. It
// takes fd over.
func Arrive(h codec.Handle, fd int, side byte) error {
	f, err := theFamily()
	if err != nil {
		return err
	}
	in := &arrival{f: f, fds: []int{fd}}
	defer in.close()
	ref := make([]byte, refSize)
	ref[0], ref[1] = refBeside, side
	if file, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil {
		_, _ = file.ReadAt(ref[4:refSize], 32) // the id, where its header has it
		_ = file.Close()
	}
	return in.Import(h, ref)
}

// ArriveBy fills a handle in from a reference.
func ArriveBy(h codec.Handle, ref []byte) error {
	f, err := theFamily()
	if err != nil {
		return err
	}
	in := &arrival{f: f}
	defer in.close()
	return in.Import(h, ref)
}

// FD is a duplicate of the descriptor of a handle.
func FD(h codec.Handle) int {
	seg, release, err := borrow(h)
	if err != nil {
		panic(err)
	}
	defer release()
	fd, err := seg.Dup()
	if err != nil {
		panic(err)
	}
	return fd
}

// Deposits is how many objects this process holds for messages under way.
func Deposits() int {
	f, err := theFamily()
	if err != nil {
		panic(err)
	}
	return f.root.Len()
}

// Turn is the word that says which Update has the turn.
func (v *Value[T]) Turn() *uint64 { return v.near.turn }

// CrashReason is what an ExitError says of a crash report.
func CrashReason(report string) string { return crashReason(report) }

// ArriveAs is Arrive with a reference that names an object.
func ArriveAs(h codec.Handle, fd int, id shm.ID) error {
	f, err := theFamily()
	if err != nil {
		return err
	}
	in := &arrival{f: f, fds: []int{fd}}
	defer in.close()
	ref := make([]byte, refSize)
	ref[0] = refBeside
	copy(ref[4:], id[:])
	return in.Import(h, ref)
}

// WaitersOf is how many processes wait for a semaphore in memory.
func WaitersOf(s *Semaphore) int { return s.h.obj.(interface{ Waiting() int }).Waiting() }

// StandIn is how many goroutines stand in the line of a Cond in memory.
func StandIn(c *Cond) int { return c.h.obj.(*local.Cond).Waiting() }
