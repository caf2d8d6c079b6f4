package ring

import (
	"context"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"multiproc/internal/childtest"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

var roles = map[string]func(*childtest.Self){}

func TestMain(m *testing.M) {
	robust.Emulated = childtest.Emulated()
	childtest.Main(m, roles)
}

// scratch is a page of words behind the ring for what a test and its children
// tell each other. Word 0 is the death word.
type scratch [512]uint64

func scratchOf(seg *shm.Segment) (*scratch, error) {
	p, err := seg.Map(seg.Size-shm.PageSize(), shm.PageSize())
	return (*scratch)(p), err
}

func (s *scratch) store(i int, v uint64) { atomic.StoreUint64(&s[i], v) }
func (s *scratch) deathWord() *uint32    { return (*uint32)(unsafe.Pointer(&s[0])) }

// noNet takes the bounded re-check away: a lost wake-up becomes a hang.
func noNet(t testing.TB) {
	robust.SetRecheck(time.Hour, time.Hour)
	t.Cleanup(func() { robust.SetRecheck(100*time.Millisecond, 6400*time.Millisecond) })
}

// files hands the ring to a child.
func files(t testing.TB, r *Ring, env ...string) childtest.Options {
	t.Helper()
	fd, err := r.seg.Dup()
	if err != nil {
		t.Fatal(err)
	}
	return childtest.Options{Files: []*os.File{os.NewFile(uintptr(fd), "segment")}, Env: env}
}

// childRing attaches a child to the ring on descriptor 3.
func childRing(c *childtest.Self) (*Ring, *scratch) {
	seg, err := shm.Open(3, shm.Want{Kind: shm.KindQueue})
	c.Check(err)
	data := shm.RoundPage(shm.HeaderSize + ControlSize)
	mem, err := seg.Map(0, data)
	c.Check(err)
	r, err := New(seg, unsafe.Add(mem, shm.HeaderSize), data, FromParams([2]uint64{seg.Params[0], seg.Params[1]}))
	c.Check(err)
	s, err := scratchOf(seg)
	c.Check(err)
	robust.SetDeathWord(s.deathWord())
	robust.SetRecheck(time.Hour, time.Hour)
	return r, s
}

// patient is a context that ends a hanging test with an error.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), childtest.Timeout)
	t.Cleanup(cancel)
	return ctx
}

// until waits for a state that another goroutine or process brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(childtest.Timeout); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// sleepers is how many are counted at an event.
func sleepers(e *uint64) int { return int(atomic.LoadUint64(e) >> 32 & 0xffff) }
