package shm

import (
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzHeader: any bytes are a header or an error, and what is accepted is
// what it encodes to.
func FuzzHeader(f *testing.F) {
	h := testHeader()
	good := h.encode()
	f.Add(good[:], h.Size)
	f.Add(good[:100], int64(100))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		h, err := decodeHeader(b, size)
		if err != nil {
			return
		}
		if got := h.encode(); string(got[:]) != string(b[:HeaderSize]) || h.Size != size {
			// reserved bytes are zero in what this version writes
			for i := 112; i < 120; i++ {
				if b[i] != 0 {
					return
				}
			}
			t.Errorf("%+v encodes to %x, was %x", h, got, b[:HeaderSize])
		}
	})
}

// FuzzOpen: a memory file of any contents is opened and usable, or refused.
func FuzzOpen(f *testing.F) {
	h := Header{Kind: KindQueue, Family: family, Size: PageSize()}
	good := h.encode()
	f.Add(good[:], int64(4096), true)
	f.Add(good[:], int64(8192), true)
	f.Add(good[:], int64(4096), false)
	f.Add(good[:64], int64(64), true)
	f.Fuzz(func(t *testing.T, b []byte, size int64, fix bool) {
		size &= 1<<24 - 1
		if fix && len(b) >= HeaderSize { // let the fuzzer past the checksum
			h := Header{Kind: Kind(b[16]), Family: family, Size: size}
			e := h.encode()
			copy(b, e[:])
		}
		fd, err := memfd("fuzz")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(fd, b); err != nil && len(b) > 0 {
			t.Fatal(err)
		}
		_ = unix.Ftruncate(fd, size)
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK)
		s, err := Open(fd, Want{Kind: KindQueue, Family: family})
		if err != nil {
			return
		}
		if p, err := s.Map(0, RoundPage(s.Size)); err == nil {
			bytesAt(p, s.Size)[s.Size-1] = 1
		}
		if p, err := s.MapMirror(0, PageSize()); err == nil {
			bytesAt(p, 2*PageSize())[2*PageSize()-1] = 1
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
