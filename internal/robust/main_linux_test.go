package robust

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"multiproc/internal/childtest"
	"multiproc/internal/futex"
	"multiproc/internal/shm"
)

var roles = map[string]func(*childtest.Self){}

func TestMain(m *testing.M) {
	Emulated = childtest.Emulated()
	childtest.Main(m, roles)
}

// memory is a shared page area for tests: words, locks and events at offsets
// that the test chooses. Word 0 is the death word.
type memory struct {
	seg   *shm.Segment
	base  unsafe.Pointer
	stays bool // to the end of the process
}

const memorySize = 1 << 20

func newMemory(t testing.TB) *memory {
	t.Helper()
	seg, err := shm.Create(shm.Header{Kind: shm.KindMutex, Size: memorySize})
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{seg: seg}
	if m.base, err = seg.Map(0, memorySize); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !m.stays {
			_ = seg.Close()
		}
	})
	return m
}

// childMemory is what a child finds on descriptor 3.
func childMemory(c *childtest.Self) *memory {
	seg, err := shm.Open(3, shm.Want{Kind: shm.KindMutex})
	c.Check(err)
	m := &memory{seg: seg}
	m.base, err = seg.Map(0, memorySize)
	c.Check(err)
	return m
}

func (m *memory) at(i int) unsafe.Pointer { return unsafe.Add(m.base, shm.PageSize()+int64(i)*8) }
func (m *memory) word(i int) *uint64      { return (*uint64)(m.at(i)) }
func (m *memory) load(i int) uint64       { return atomic.LoadUint64(m.word(i)) }
func (m *memory) store(i int, v uint64)   { atomic.StoreUint64(m.word(i), v) }
func (m *memory) swap(i int, old, v uint64) bool {
	return atomic.CompareAndSwapUint64(m.word(i), old, v)
}
func (m *memory) add(i int, d int) uint64  { return atomic.AddUint64(m.word(i), uint64(int64(d))) }
func (m *memory) lock(i int) *Lock         { l := new(Lock); l.Init(m.at(i)); return l }
func (m *memory) event(i int) *Event       { e := new(Event); e.Init(m.at(i)); return e }
func (m *memory) rw(i int) *RW             { l := new(RW); l.Init(m.at(i)); return l }
func (m *memory) deathWord() *uint32       { return (*uint32)(m.at(0)) }
func (m *memory) files() childtest.Options { return childtest.Options{Files: []*os.File{m.file()}} }

// useDeathWord makes word 0 the process's death word. Where no thread sleeps on
// several words, one sleeps on this until the process ends.
func (m *memory) useDeathWord() {
	m.stays = !futex.Several()
	SetDeathWord(m.deathWord())
}

// file is the segment's descriptor as exec wants it.
func (m *memory) file() *os.File {
	fd, err := m.seg.Dup()
	if err != nil {
		panic(err)
	}
	return os.NewFile(uintptr(fd), "segment")
}

// died is what the family does after an unclean death.
func (m *memory) died() {
	atomic.AddUint32(m.deathWord(), 1)
	futex.Wake(m.deathWord(), 1<<30)
}

// noNet takes the bounded re-check away: a lost wake-up becomes a hang.
func noNet(t testing.TB) {
	first, longest := firstRecheck, maxRecheck
	firstRecheck, maxRecheck = time.Hour, time.Hour
	t.Cleanup(func() { firstRecheck, maxRecheck = first, longest })
}

func childNoNet() { firstRecheck, maxRecheck = time.Hour, time.Hour }

// patient is a context that ends a hanging test with an error.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), childtest.Timeout)
	t.Cleanup(cancel)
	return ctx
}

func mustLock(t testing.TB, l *Lock) (died bool) {
	t.Helper()
	died, err := l.Lock(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	return died
}

func addressOf(h *head) uintptr { return uintptr(unsafe.Pointer(h)) }

// inWait reports whether a thread of the process sleeps on a word of shared
// memory, by futex_waitv or, where that is refused, by a FUTEX_WAIT with a
// time-out that is not the private kind of the Go runtime. A brief sleep is
// such a one too, and does not count where it can be told apart: it gives up
// its place in the kernel's queue.
func inWait(pid int) bool {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	list, _ := os.ReadDir(dir)
	for _, e := range list {
		b, _ := os.ReadFile(dir + "/" + e.Name() + "/syscall")
		f := strings.Fields(string(b)) // number, then the arguments
		if len(f) < 5 {
			continue
		}
		if f[0] == strconv.Itoa(unix.SYS_FUTEX_WAITV) || !futex.Several() && f[0] == strconv.Itoa(sysFutex()) && f[2] == "0x0" && f[4] != "0x0" {
			return true
		}
	}
	return false
}

// sysFutex is the number of the system call on this machine. An emulator's
// kernel is that of another architecture: of amd64, where we use one.
func sysFutex() int {
	if Emulated {
		return 202
	}
	return unix.SYS_FUTEX
}

// threads are the thread ids of a process.
func threads(t testing.TB, pid int) (tids []int) {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		tid, _ := strconv.Atoi(e.Name())
		tids = append(tids, tid)
	}
	return tids
}
