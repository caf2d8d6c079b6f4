package shm

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"multiproc/internal/mperr"
)

var family = ID{1, 2, 3}

func create(t testing.TB, pages int64) *Segment {
	t.Helper()
	s, err := Create(Header{Kind: KindQueue, ID: NewID(), Family: family, Size: pages * PageSize()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func dup(t testing.TB, s *Segment) int {
	t.Helper()
	fd, err := s.Dup()
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func fds(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// mapped counts the mappings of segments of this kind.
func mapped(t testing.TB) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "memfd:mp:"+KindQueue.String())
}

func TestOpen(t *testing.T) {
	s := create(t, 2)
	got, err := Open(dup(t, s), Want{Kind: KindQueue, Family: family})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Close() }()
	if got.Header != s.Header {
		t.Errorf("header %+v, want %+v", got.Header, s.Header)
	}
	flags, err := unix.FcntlInt(uintptr(got.FD()), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the descriptor is not close-on-exec: %#x %v", flags, err)
	}
	seals, err := unix.FcntlInt(uintptr(s.FD()), unix.F_GET_SEALS, 0)
	if want := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL; err != nil || seals&want != want {
		t.Errorf("seals %#x, %v", seals, err)
	}
}

// What is refused is refused by the right error, and its descriptor is closed.
func TestOpenRefuses(t *testing.T) {
	good := Want{Kind: KindQueue, Family: family}
	h := Header{Kind: KindQueue, Family: family, Size: PageSize()}
	header := h.encode()
	memfd := func(content []byte, size int64, seals int) int {
		fd, err := memfd("test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(fd, content); err != nil {
			t.Fatal(err)
		}
		if err := unix.Ftruncate(fd, size); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
			t.Fatal(err)
		}
		return fd
	}
	path := func(p string, flags int) int {
		fd, err := unix.Open(p, flags, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	for _, c := range []struct {
		name string
		fd   func() int
		want Want
		err  error
	}{
		{"another kind", func() int { return dup(t, create(t, 1)) }, Want{Kind: KindPipe, Family: family}, mperr.ErrType},
		{"another type", func() int { return dup(t, create(t, 1)) }, Want{Kind: KindQueue, Family: family, Fingerprint: [16]byte{1}}, mperr.ErrType},
		{"another family", func() int { return dup(t, create(t, 1)) }, Want{Kind: KindQueue}, mperr.ErrForeign},
		{"truncated", func() int { return memfd(header[:100], 100, unix.F_SEAL_SHRINK) }, good, mperr.ErrCorrupt},
		{"shorter than it says", func() int { return memfd(header[:], 200, unix.F_SEAL_SHRINK) }, good, mperr.ErrCorrupt},
		{"empty", func() int { return memfd(nil, 0, unix.F_SEAL_SHRINK) }, good, mperr.ErrCorrupt},
		{"zeros", func() int { return memfd(nil, PageSize(), unix.F_SEAL_SHRINK) }, good, mperr.ErrCorrupt},
		{"not sealed", func() int { return memfd(header[:], PageSize(), 0) }, good, mperr.ErrCorrupt},
		{"sealed against growing only", func() int { return memfd(header[:], PageSize(), unix.F_SEAL_GROW) }, good, mperr.ErrCorrupt},
		{"a device", func() int { return path("/dev/null", unix.O_RDWR) }, good, mperr.ErrCorrupt},
		{"a directory", func() int { return path(t.TempDir(), unix.O_RDONLY) }, good, mperr.ErrCorrupt},
		{"a plain file", func() int { return path(filepath.Join(t.TempDir(), "f"), unix.O_RDWR|unix.O_CREAT) }, good, mperr.ErrCorrupt},
		{"a closed descriptor", func() int { return 1 << 20 }, good, unix.EBADF},
	} {
		t.Run(c.name, func(t *testing.T) {
			fd := c.fd()
			before := fds(t)
			s, err := Open(fd, c.want)
			if s != nil || !errors.Is(err, c.err) {
				t.Errorf("got %v, %v, want %v", s, err, c.err)
			}
			if after := fds(t); fd != 1<<20 && after != before-1 {
				t.Errorf("%d descriptors, %d before: the refused one stays open", after, before)
			}
		})
	}
	// The same bytes in a sound file are accepted.
	s, err := Open(memfd(header[:], PageSize(), unix.F_SEAL_SHRINK), good)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}

func TestCreateRefuses(t *testing.T) {
	before := fds(t)
	for _, size := range []int64{-1, 0, -1 << 62} {
		if s, err := Create(Header{Kind: KindQueue, Size: size}); err == nil {
			t.Errorf("a segment of %d bytes: %v", size, s)
		}
	}
	if after := fds(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func TestMapRefuses(t *testing.T) {
	s := create(t, 3)
	p := PageSize()
	for _, r := range [][2]int64{{-p, p}, {0, 0}, {0, -p}, {1, p}, {0, p + 1}, {0, 4 * p}, {3 * p, p}, {2 * p, 2 * p}, {1 << 62, p}, {p, 1<<63 - 4096}} {
		if _, err := s.Map(r[0], r[1]); !errors.Is(err, mperr.ErrCorrupt) {
			t.Errorf("Map%v: %v", r, err)
		}
		if _, err := s.MapMirror(r[0], r[1]); !errors.Is(err, mperr.ErrCorrupt) {
			t.Errorf("MapMirror%v: %v", r, err)
		}
	}
	if n := mapped(t); n != 0 {
		t.Errorf("%d mappings left", n)
	}
}

func TestIDs(t *testing.T) {
	seen := map[ID]bool{}
	for range 1000 {
		seen[NewID()] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different ids of 1000", len(seen))
	}
	if s := (ID{0xab, 0xcd, 0xef, 0x01, 2}).String(); s != "abcdef01" {
		t.Error(s)
	}
	if got := slices.Collect(func(yield func(int64) bool) {
		_ = yield(RoundPage(0)) && yield(RoundPage(1)) && yield(RoundPage(PageSize())) && yield(RoundPage(PageSize()+1))
	}); !slices.Equal(got, []int64{0, PageSize(), PageSize(), 2 * PageSize()}) {
		t.Error(got)
	}
}
