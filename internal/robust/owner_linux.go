package robust

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// threadGone reports whether a process has no such thread. A live one of
// another user is EPERM, which is not gone. All who share a lock are in one PID
// namespace.
func threadGone(pid, tid uint32) bool {
	err := unix.Tgkill(int(pid), int(tid), 0)
	return err == unix.ESRCH || err == unix.EINVAL
}

// A thread that owns locks bears a name that other threads do not have, so that
// a word that names any other thread is known to be damaged, or to be so old
// that the ids are those of strangers by now.
const namePrefix = "mp:"

var threadName atomic.Pointer[string]

// SetFamily gives the owner threads of this process, those there are and those
// to come, the name of its family: only who bears it holds locks of the family.
func SetFamily(id []byte) {
	keeperMu.Lock()
	defer keeperMu.Unlock()
	// A name has 15 bytes.
	name := namePrefix + fmt.Sprintf("%x", id[:min(len(id), 6)])
	threadName.Store(&name)
	for _, n := range names {
		_ = os.WriteFile(commOf(self, uint32(n)), []byte(name), 0)
	}
}

func ownName() string {
	if n := threadName.Load(); n != nil {
		return *n
	}
	return namePrefix
}

// nameThread names the calling thread.
func nameThread() {
	b := append([]byte(ownName()), 0)
	_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(unsafe.SliceData(b))), 0, 0, 0)
}

func commOf(pid, tid uint32) string { return fmt.Sprintf("/proc/%d/task/%d/comm", pid, tid) }

// keeperThread reports whether a thread that exists owns locks of our family,
// or that cannot be found out.
func keeperThread(pid, tid uint32) bool {
	if name, ok := nameOf(pid, tid); ok {
		return name == ownName()
	}
	// Without /proc: threads of Go programs other than owner threads have no
	// robust list, unless they use C.
	var head, size uintptr
	_, _, errno := syscall.RawSyscall(unix.SYS_GET_ROBUST_LIST, uintptr(tid), uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&size)))
	return errno != 0 || head != 0
}

// nameOf returns the name of a thread. It is not ok if /proc is not there, or is
// that of other processes than ours.
func nameOf(pid, tid uint32) (name string, ok bool) {
	keeperMu.Lock()
	var mine uint32
	if len(names) > 0 {
		mine = uint32(names[0])
	}
	keeperMu.Unlock()
	own, err := os.ReadFile(commOf(self, mine))
	if err != nil || strings.TrimSpace(string(own)) != ownName() {
		return "", false
	}
	b, err := os.ReadFile(commOf(pid, tid))
	return strings.TrimSpace(string(b)), err == nil
}
