package shm

import (
	"testing"
	"unsafe"
)

func bytesAt(p unsafe.Pointer, n int64) []byte { return unsafe.Slice((*byte)(p), n) }

func TestMirror(t *testing.T) {
	s := create(t, 5)
	size := 2 * PageSize()
	m, err := s.MapMirror(PageSize(), size)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := s.Map(0, 5*PageSize())
	if err != nil {
		t.Fatal(err)
	}
	twice := bytesAt(m, 2*size)
	once := bytesAt(unsafe.Add(plain, PageSize()), size)
	for i := range size {
		twice[i] = byte(i * 31)
		if twice[i+size] != byte(i*31) || once[i] != byte(i*31) {
			t.Fatalf("byte %d is %d in the mirror, %d in the file, want %d", i, twice[i+size], once[i], byte(i*31))
		}
	}
	// A record over the end lies at the beginning.
	copy(twice[size-3:], "abcdef")
	if string(twice[:3]) != "def" || string(once[:3]) != "def" || string(once[size-3:]) != "abc" {
		t.Errorf("over the end: %q %q %q", twice[:3], once[:3], once[size-3:])
	}
	// The neighbours were not touched.
	whole := bytesAt(plain, 5*PageSize())
	if whole[HeaderSize] != 0 || whole[3*PageSize()] != 0 {
		t.Error("the mirror reaches outside its range")
	}
}

func TestPunch(t *testing.T) {
	s := create(t, 3)
	p, err := s.Map(0, 3*PageSize())
	if err != nil {
		t.Fatal(err)
	}
	b := bytesAt(p, 3*PageSize())
	for i := range b[HeaderSize:] {
		b[HeaderSize+i] = 1
	}
	s.Punch(PageSize(), PageSize())
	if b[PageSize()-1] != 1 || b[PageSize()] != 0 || b[2*PageSize()-1] != 0 || b[2*PageSize()] != 1 {
		t.Error("punched another range")
	}
	if got, err := Open(dup(t, s), Want{Kind: KindQueue, Family: family}); err != nil || got.Size != s.Size {
		t.Errorf("after Punch: %v", err)
	}
}

// Two handles see one memory; Close of the last leaves neither a mapping nor
// a descriptor.
func TestCloseLeavesNothing(t *testing.T) {
	open, maps := fds(t), mapped(t)
	a := create(t, 4)
	b, err := Open(dup(t, a), Want{Kind: KindQueue, Family: family})
	if err != nil {
		t.Fatal(err)
	}
	var mems []unsafe.Pointer
	for _, s := range []*Segment{a, b} {
		p, err := s.Map(0, s.Size)
		if err != nil {
			t.Fatal(err)
		}
		mems = append(mems, p)
		if _, err := s.MapMirror(0, s.Size); err != nil {
			t.Fatal(err)
		}
	}
	bytesAt(mems[0], a.Size)[5000] = 7
	if bytesAt(mems[1], a.Size)[5000] != 7 {
		t.Error("two handles do not share their memory")
	}
	if n := mapped(t); n < maps+4 {
		t.Errorf("%d mappings in /proc/self/maps, want 4 or more above %d: this test looks for the wrong name", n, maps)
	}
	for range 2 { // Close twice is Close
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if bytesAt(mems[1], a.Size)[5000] != 7 {
		t.Error("Close of one handle took the memory from the other")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if n, m := fds(t), mapped(t); n != open || m != maps {
		t.Errorf("%d descriptors and %d mappings, %d and %d before", n, m, open, maps)
	}
	if _, err := a.Dup(); err == nil {
		t.Error("Dup of a closed segment")
	}
	if _, err := a.Map(0, PageSize()); err == nil {
		t.Error("Map of a closed segment")
	}
}

func BenchmarkCreateClose(b *testing.B) {
	for range b.N {
		s, err := Create(Header{Kind: KindQueue, Size: 1 << 30})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Map(0, PageSize()); err != nil {
			b.Fatal(err)
		}
		_ = s.Close()
	}
}
