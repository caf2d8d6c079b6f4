package pymp

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync"

	"multiproc/internal/mperr"
)

// SharedMemory is a block of memory that has a name, by which any program of the
// same user finds it: another Go program by [OpenSharedMemory], a Python program
// by multiprocessing.shared_memory.SharedMemory(name=…). It is POSIX shared
// memory: on Linux a file of mode 0600 in /dev/shm. Nothing is copied and nobody
// is asked: what one program stores the other ones load.
//
// # Names
//
// A name has 1 to 254 printable characters of ASCII and neither a slash nor a
// colon. Python's names are given as its property name has them, without a slash
// in front. Whoever knows the name and is the same user (or root) may use the
// memory, and may make it shorter: then an access behind its end kills a program.
// Memory for which that is not good enough is mp's, which has no names.
//
// # Life
//
// The name stays until somebody unlinks it, when its creator has died as well:
// the next creator of that name gets fs.ErrExist, and may call
// [UnlinkSharedMemory] and create it again. "ls -l /dev/shm" shows what there is,
// "fuser -v /dev/shm/NAME" who uses it, and "rm /dev/shm/NAME" unlinks it. Nothing
// survives a restart of the machine. Memory that was unlinked stays for those who
// have it, and goes with the last of them; its name is free for a new one.
//
// Close gives back this handle and does not touch the name. Slices of Bytes and
// [View] must not be used after it: the memory is not mapped any more, and an
// access ends the program by SIGSEGV. A handle that is dropped without Close stays
// mapped as long as the process lives, for the garbage collector does not know who
// has slices of it.
//
// # Concurrent use
//
// The methods may be called concurrently. The memory itself has no locks, and no
// order in which others see stores, just as in Python. Where two programs change
// the same bytes, or one reads what the other changes, agree on who may: by a Lock
// of a manager, a queue that says what is ready, or in Go programs sync/atomic on
// elements of a View. A program that dies in the middle leaves what it has stored
// so far.
//
// # Costs
//
// Creating one takes the memory at once, see [CreateSharedMemory]: some 0.2 ms, and
// about a second a gigabyte. Opening takes some 20 µs, whatever the size, and the
// first access to each page of 4 KiB up to 1 µs. A handle takes no descriptor.
//
// The zero SharedMemory is closed.
type SharedMemory struct {
	name string

	mu  sync.Mutex
	mem []byte // nil: closed
}

// NewSharedMemory makes shared memory of that many bytes, all zero, under a name
// that nobody has, as Python does without one: "psm_" and eight hexadecimal
// digits. What is said of CreateSharedMemory holds here as well.
func NewSharedMemory(size int) (*SharedMemory, error) {
	for {
		var random [4]byte
		_, _ = rand.Read(random[:])
		m, err := makeShared(fmt.Sprintf("psm_%08x", random), size)
		switch {
		case errors.Is(err, fs.ErrExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("pymp.NewSharedMemory: %w", err)
		}
		return m, nil
	}
}

// CreateSharedMemory makes shared memory of that name and of that many bytes, all
// zero. A name that is taken is an error that wraps fs.ErrExist.
//
// The memory is there when it returns: if there is not enough, the error wraps
// syscall.ENOSPC. Python only notes the size, and a program that stores where there
// is no memory left is killed by SIGBUS. A container often has 64 MiB in /dev/shm.
//
// The name appears last, when the memory has its size. So a creator that dies
// leaves a whole one or none; Python's, or ours on a kernel or in a sandbox that
// has no nameless files, may leave one without a size, which OpenSharedMemory
// refuses.
func CreateSharedMemory(name string, size int) (*SharedMemory, error) {
	m, err := makeShared(name, size)
	if err != nil {
		return nil, fmt.Errorf("pymp.CreateSharedMemory: %w", err)
	}
	return m, nil
}

func makeShared(name string, size int) (*SharedMemory, error) {
	if err := checkSharedName(name); err != nil {
		return nil, err
	}
	if size <= 0 {
		return nil, fmt.Errorf("shared memory %q: a size of %d bytes: %w", name, size, mperr.ErrValue)
	}
	mem, err := createShared(name, size)
	if err != nil {
		return nil, fmt.Errorf("shared memory %q, %d bytes: %w", name, size, err)
	}
	return &SharedMemory{name: name, mem: mem}, nil
}

// OpenSharedMemory finds the shared memory of that name, which a Go or a Python
// program has made. If there is none the error wraps fs.ErrNotExist.
//
// Memory of which Python has only noted the size is taken now, so that no access
// kills this program later; if there is not enough the error wraps syscall.ENOSPC.
//
// A name without a size is refused: its creator is just about to give it one, or
// has died before it could.
func OpenSharedMemory(name string) (*SharedMemory, error) {
	err := checkSharedName(name)
	if err != nil {
		return nil, fmt.Errorf("pymp.OpenSharedMemory: %w", err)
	}
	mem, err := openShared(name)
	if err != nil {
		return nil, fmt.Errorf("pymp.OpenSharedMemory: shared memory %q: %w", name, err)
	}
	return &SharedMemory{name: name, mem: mem}, nil
}

// UnlinkSharedMemory takes the name away, from whoever has it now: those who have
// the memory keep it, and nobody else finds it. If there is no such name the error
// wraps fs.ErrNotExist.
func UnlinkSharedMemory(name string) error {
	err := checkSharedName(name)
	if err != nil {
		return fmt.Errorf("pymp.UnlinkSharedMemory: %w", err)
	}
	if err := unlinkShared(name); err != nil {
		return fmt.Errorf("pymp.UnlinkSharedMemory: shared memory %q: %w", name, err)
	}
	return nil
}

// longestSharedName is what the C library takes, by which Python finds names.
const longestSharedName = 254

// checkSharedName refuses what is no name of a file in one directory, and what
// Python cannot take: it tells its resource tracker of each name, in a line of
// ASCII with colons between its words.
func checkSharedName(name string) error {
	why := ""
	switch {
	case name == "":
		why = "it is empty"
	case name == "." || name == "..":
		why = "it is a directory"
	case len(name) > longestSharedName:
		return fmt.Errorf("shared memory %.20q…: a name of %d bytes, at most %d are possible: %w", name, len(name), longestSharedName, mperr.ErrValue)
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c == '/':
			why = "it has a slash; Python's names are given without the one in front"
		case c == ':', c < ' ', c > '~':
			why = "it has a character that is none of printable ASCII, or a colon"
		}
	}
	if why != "" {
		return fmt.Errorf("the name %q for shared memory: %s: %w", name, why, mperr.ErrValue)
	}
	return nil
}

// Name is what others find the memory by, as long as nobody has unlinked it.
func (m *SharedMemory) Name() string { return m.name }

// String is for messages.
func (m *SharedMemory) String() string { return fmt.Sprintf("SharedMemory %q", m.name) }

// Size is the number of bytes that it was made with, 0 after Close. Python's
// property size says the same on Linux. The kernel rounds up to whole pages, of
// which nobody sees the rest.
func (m *SharedMemory) Size() int { return len(m.Bytes()) }

// Bytes is the memory, nil after Close. It must not be used after Close.
func (m *SharedMemory) Bytes() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mem
}

// Close gives back this handle: see SharedMemory for what that means for slices.
// The memory and its name stay. Further calls do nothing.
func (m *SharedMemory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.mem
	m.mem = nil
	if mem == nil {
		return nil
	}
	if err := unmapShared(mem); err != nil {
		return fmt.Errorf("%v: close: %w", m, err)
	}
	return nil
}

// Unlink takes the name away, see UnlinkSharedMemory. The memory can be used until
// Close. It may be called after Close.
func (m *SharedMemory) Unlink() error {
	if m.name == "" {
		return fmt.Errorf("unlink a SharedMemory that was not made: %w", mperr.ErrClosed)
	}
	if err := unlinkShared(m.name); err != nil {
		return fmt.Errorf("%v: unlink: %w", m, err)
	}
	return nil
}

// errNoSize is what is wrong with a name that a creator left too early.
var errNoSize = fmt.Errorf("it has no size: its creator has died before it gave it one, or is just about to; try again, or remove it by pymp.UnlinkSharedMemory: %w", fs.ErrInvalid)

// errNoMemory adds to the kernel's error what helps.
func errNoMemory(err error, free uint64) error {
	return fmt.Errorf("%w: /dev/shm has %d bytes left; unlink what nobody needs, or give it more (a container has --shm-size)", err, min(free, math.MaxInt64))
}
