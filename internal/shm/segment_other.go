//go:build !linux

package shm

import (
	"os"
	"runtime"
	"unsafe"

	"multiproc/internal/mperr"
)

// TwinSpace is of no meaning on this platform.
const TwinSpace = 16 << 10

func pageSize() int64 { return int64(os.Getpagesize()) }

func unsupported() error {
	return &mperr.UnsupportedError{Facility: "shared memory", Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

// Create refuses and names the platform.
func Create(Header) (*Segment, error) { return nil, unsupported() }

// Open refuses and names the platform.
func Open(int, Want) (*Segment, error) { return nil, unsupported() }

// MaxFile returns 0 on this platform.
func MaxFile() int64 { return 0 }

// Borrow refuses and names the platform.
func Borrow(int, Kind, ID, int64) (*Segment, unsafe.Pointer, error) { return nil, nil, unsupported() }

// FD returns no descriptor on this platform.
func (s *Segment) FD() int { return -1 }

// Dup refuses and names the platform.
func (s *Segment) Dup() (int, error) { return -1, unsupported() }

// DupFD refuses and names the platform.
func DupFD(int) (int, error) { return -1, unsupported() }

// IsSocket is never true on this platform.
func IsSocket(int) bool { return false }

// CloseFD does nothing on this platform.
func CloseFD(int) {}

// Map refuses and names the platform.
func (s *Segment) Map(off, size int64) (unsafe.Pointer, error) { return nil, unsupported() }

// MapMirror refuses and names the platform.
func (s *Segment) MapMirror(off, size int64) (unsafe.Pointer, error) { return nil, unsupported() }

// Punch does nothing on this platform.
func (s *Segment) Punch(off, size int64) {}

// Close has nothing to give back on this platform.
func (s *Segment) Close() error { return nil }

// Mapped is 0 on this platform.
func (s *Segment) Mapped() int64 { return 0 }

// ReleaseFD does nothing on this platform.
func (s *Segment) ReleaseFD() {}

// MemFile refuses and names the platform.
func MemFile(string) (*os.File, error) { return nil, unsupported() }

// PunchPinned does nothing on this platform.
func (s *Segment) PunchPinned(off, size int64) {}
