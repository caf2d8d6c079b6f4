package robust

import (
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"multiproc/internal/futex"
)

// The offsets are shared with other processes, and with the kernel.
func TestLayoutGolden(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"node.next", unsafe.Offsetof(node{}.next), 0},
		{"node.word", unsafe.Offsetof(node{}.word), 8},
		{"LockSize", LockSize, 16},
		{"RWSize", RWSize, 264},
		{"EventSize", EventSize, 8},
		{"head.first", unsafe.Offsetof(head{}.first), 0},
		{"head.offset", unsafe.Offsetof(head{}.offset), 8},
		{"head.pending", unsafe.Offsetof(head{}.pending), 16},
		{"sizeof head", unsafe.Sizeof(head{}), 24},
		{"countOne", countOne, 1 << 32},
		{"wipeOne", wipeOne, 1 << 48},
		{"wokenBit", wokenBit, 1 << 63},
		{"all bits", wokenBit ^ wipeMask ^ countMask ^ seqMask, 1<<64 - 1},
	} {
		if c.got != c.want {
			t.Errorf("%s is %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

// A held lock as the kernel and other processes see it.
func TestLockInMemory(t *testing.T) {
	mem := [6]uint64{0: ^uint64(0), 5: ^uint64(0)}
	var a, b Lock
	a.Init(unsafe.Pointer(&mem[1]))
	b.Init(unsafe.Pointer(&mem[3]))
	for _, l := range []*Lock{&a, &b} {
		if ok, died, err := l.TryLock(); !ok || died || err != nil {
			t.Fatal(ok, died, err)
		}
	}
	k := current.Load()
	tid := uint32(mem[2]) & futex.TIDMask
	if mem[2]>>32 != uint64(unix.Getpid()) || tid == 0 || int(tid) == unix.Getpid() || unix.Tgkill(unix.Getpid(), int(tid), 0) != nil {
		t.Errorf("word %#x: want this process's id above and a thread of it, not the main thread, below", mem[2])
	}
	if mem[4] != mem[2] {
		t.Errorf("two locks of one process have words %#x and %#x", mem[2], mem[4])
	}
	// The list: head → b → a → head.
	addr := func(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }
	if k.head.first != addr(unsafe.Pointer(&mem[3])) || mem[3] != addr(unsafe.Pointer(&mem[1])) || k.head.pending != 0 {
		t.Errorf("list %#x → %#x, pending %#x", k.head.first, mem[3], k.head.pending)
	}
	if !a.Held() || a.Owner() != unix.Getpid() || !a.OwnerAlive() {
		t.Error("a is held by this process")
	}
	held := k.held
	if !a.Unlock() || !b.Unlock() {
		t.Error("Unlock said that it is not held")
	}
	if mem[2] != 0 || mem[4] != 0 || k.held != held-2 || a.Held() || a.Owner() != 0 || a.OwnerAlive() {
		t.Errorf("after Unlock: %#x, %d held", mem, k.held)
	}
	if mem[0] != ^uint64(0) || mem[5] != ^uint64(0) {
		t.Error("a lock wrote outside its 16 bytes")
	}
}

// seq, count, wipe and woken after each step of the two sides.
func TestEventInMemory(t *testing.T) {
	var w uint64
	var e Event
	e.Init(unsafe.Pointer(&w))
	step := func(what string, want uint64) {
		t.Helper()
		if got := atomic.LoadUint64(&w); got != want {
			t.Errorf("%s: %#x, want %#x", what, got, want)
		}
	}
	e.Notify()
	e.NotifyAll()
	step("Notify with nobody there", 0)
	k1 := e.Enter()
	step("Enter", 1<<32)
	k2 := e.Enter()
	step("Enter", 2<<32)
	e.Leave(k2)
	step("Leave", 1<<32)
	e.Notify() // nobody sleeps: the count is of the dead
	step("Notify to the dead", 1<<48|2)
	e.Leave(k1)
	step("Leave of a wiped count", 1<<48|2)
	k3 := e.Enter()
	step("Enter", 1<<48|1<<32|2)
	e.Leave(k3)
	step("Leave", 1<<48|2)
	atomic.StoreUint64(&w, wipeMask|1<<32|seqMask)
	e.Notify()
	step("wipe and seq run over", 1)
}
