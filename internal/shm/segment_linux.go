package shm

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"multiproc/internal/mperr"
)

var page = int64(os.Getpagesize())

func pageSize() int64 { return page }

// Create makes a segment of h.Size bytes (rounded up to pages), all zero,
// and writes its header. The file is sealed against shrinking and growing: no
// process can take the memory from under another. Cost: 10 to 20 µs.
func Create(h Header) (*Segment, error) {
	h.Size = RoundPage(h.Size)
	var fd int
	var err error
	opened := func() bool {
		fd, err = memfd("mp:" + h.Kind.String())
		return !errors.Is(err, unix.EMFILE)
	}
	if !opened() {
		// Perhaps handles that nobody closed have the descriptors.
		if collect(opened); errors.Is(err, unix.EMFILE) {
			opened()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("new %s: %w", h.Kind, err)
	}
	fail := func(what string, err error) (*Segment, error) {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("new %s: %s of %d bytes: %w", h.Kind, what, h.Size, explain(err))
	}
	if err := unix.Ftruncate(fd, h.Size); err != nil {
		return fail("ftruncate", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return fail("seal", err)
	}
	b := h.encode()
	if _, err := unix.Pwrite(fd, b[:], 0); err != nil {
		return fail("write header", err)
	}
	return &Segment{Header: h, fd: fd}, nil
}

// noExec is what makes a memory file not executable for good. Hardened systems
// refuse others (vm.memfd_noexec); before Linux 6.3 the flag is unknown.
var noExec atomic.Int32

func init() { noExec.Store(unix.MFD_NOEXEC_SEAL) }

// memfd makes every memory file of this package: empty, close-on-exec, to be
// sealed by whoever wants that.
func memfd(name string) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	extra := int(noExec.Load())
	fd, err := unix.MemfdCreate(name, flags|extra)
	if errors.Is(err, unix.EINVAL) && extra != 0 {
		if fd, err = unix.MemfdCreate(name, flags); err == nil {
			noExec.Store(0)
		}
	}
	if err != nil {
		return -1, fmt.Errorf("memfd_create: %w", explain(err))
	}
	return fd, nil
}

// MemFile returns an unnamed, empty memory file that can grow: for bytes that
// another process writes and this one reads when that is over.
func MemFile(name string) (*os.File, error) {
	fd, err := memfd(name)
	if err != nil {
		return nil, fmt.Errorf("memory file %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Open attaches to the segment behind fd, which it takes over: it is closed
// if the segment is refused.
func Open(fd int, want Want) (*Segment, error) {
	h, err := inspect(fd)
	if err == nil {
		err = want.check(h)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &Segment{Header: h, fd: fd}, nil
}

// Borrow maps the first size bytes of the segment behind fd, which stays the
// caller's: for who cares for the object's holders, and not for its elements.
// Close unmaps them.
func Borrow(fd int, kind Kind, family ID, size int64) (*Segment, unsafe.Pointer, error) {
	h, err := inspect(fd)
	if err == nil {
		err = Want{Kind: kind, Family: family, Fingerprint: h.Fingerprint}.check(h)
	}
	if err != nil {
		return nil, nil, err
	}
	s := &Segment{Header: h, fd: fd}
	err = s.checkRange(0, size)
	var addr unsafe.Pointer
	if err == nil {
		addr, err = s.mapBehind(0, 0, uintptr(size), 1)
	}
	s.fd = -1
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: map %d bytes: %w", h.Kind, h.ID, size, err)
	}
	return s, addr, nil
}

// inspect reads and checks the header behind a descriptor that may be
// anything at all.
func inspect(fd int) (Header, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return Header{}, fmt.Errorf("shared memory segment: descriptor %d: %w", fd, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return Header{}, fmt.Errorf("shared memory segment: descriptor %d is not a memory file: %w", fd, mperr.ErrCorrupt)
	}
	// Without the seal a hostile owner could shrink the file later and let
	// every reader die of SIGBUS.
	if seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || seals&unix.F_SEAL_SHRINK == 0 {
		return Header{}, fmt.Errorf("shared memory segment: descriptor %d is not sealed against shrinking: %w", fd, mperr.ErrCorrupt)
	}
	var b [HeaderSize]byte
	n, err := unix.Pread(fd, b[:], 0)
	if err != nil {
		return Header{}, fmt.Errorf("shared memory segment: read header: %w", err)
	}
	return decodeHeader(b[:n], st.Size)
}

// FD is the segment's descriptor. It stays the segment's own: duplicate it to
// keep it.
func (s *Segment) FD() int { return s.fd }

// Dup returns a new close-on-exec descriptor of the segment.
func (s *Segment) Dup() (int, error) { return DupFD(s.fd) }

// DupFD returns a second, close-on-exec descriptor of the file behind fd.
func DupFD(fd int) (int, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1, fmt.Errorf("duplicate the descriptor of a shared object: %w", err)
	}
	return dup, nil
}

// IsSocket reports whether a descriptor is that of a socket.
func IsSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// CloseFD closes a descriptor that Dup returned or another process sent.
func CloseFD(fd int) { _ = unix.Close(fd) }

const protRW = unix.PROT_READ | unix.PROT_WRITE

// TwinSpace is how many bytes in front of a mapping of a segment's beginning
// are reserved and inaccessible: room for private words of this process that
// belong to words in the segment (robust.Lock.AllowResident).
const TwinSpace = 16 << 10

// Map maps size bytes from off, both multiples of the page size, for reading
// and writing. The memory stays mapped until Close. In front of a mapping from
// offset 0 TwinSpace bytes are reserved.
func (s *Segment) Map(off, size int64) (unsafe.Pointer, error) {
	if err := s.checkRange(off, size); err != nil {
		return nil, err
	}
	space := uintptr(0)
	if off == 0 {
		space = TwinSpace
	}
	addr, err := s.mapBehind(space, off, uintptr(size), 1)
	if err != nil {
		return nil, fmt.Errorf("%s %s: map %d bytes: %w", s.Kind, s.ID, size, explain(err))
	}
	return addr, nil
}

// MapMirror maps size bytes from off twice in a row, so that a record that
// runs over the end of a ring is contiguous in memory all the same.
func (s *Segment) MapMirror(off, size int64) (unsafe.Pointer, error) {
	if err := s.checkRange(off, size); err != nil {
		return nil, err
	}
	addr, err := s.mapBehind(0, off, uintptr(size), 2)
	if err != nil {
		return nil, fmt.Errorf("%s %s: map %d bytes twice: %w", s.Kind, s.ID, size, explain(err))
	}
	return addr, nil
}

// mapBehind maps a range so many times in a row, behind reserved space.
func (s *Segment) mapBehind(space uintptr, off int64, size uintptr, times uintptr) (unsafe.Pointer, error) {
	// Reserve the addresses first: between two plain maps another thread
	// could map something into the gap.
	whole := space + times*size
	areas := int64(times)
	if space > 0 {
		areas++
	}
	if err := takeAreas(areas); err != nil {
		return nil, err
	}
	addr, err := mmap(0, whole, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE, -1, 0)
	if err != nil {
		giveAreas(areas)
		return nil, tooMany(err)
	}
	for i := range times {
		if _, err := mmap(addr+space+i*size, size, protRW, unix.MAP_SHARED|unix.MAP_FIXED, s.fd, off); err != nil {
			_ = munmap(addr, whole)
			giveAreas(areas)
			return nil, tooMany(err)
		}
	}
	s.remember(mapping{addr, whole, areas})
	return pointer(addr + space), nil
}

// Punch gives the pages of a range back to the kernel; the range reads as
// zero afterwards.
func (s *Segment) Punch(off, size int64) {
	// A refusal costs memory and nothing else.
	_ = unix.Fallocate(s.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, size)
}

// PunchPinned is Punch for a caller who is pinned (see package pin): it keeps Go's
// scheduler from its processor for the time that the kernel takes, some 10 µs for
// 64 pages.
func (s *Segment) PunchPinned(off, size int64) {
	_, _, _ = syscall.RawSyscall6(unix.SYS_FALLOCATE, uintptr(s.fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, uintptr(off), uintptr(size), 0, 0)
}

// Close unmaps all that was mapped and closes the descriptor. No goroutine
// may be using the memory, and no lock in it may be held by this process.
func (s *Segment) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, m := range s.maps {
		errs = append(errs, munmap(m.addr, m.size))
		giveAreas(m.areas)
	}
	s.maps = nil
	if s.fd >= 0 {
		errs = append(errs, unix.Close(s.fd))
		s.fd = -1
	}
	return errors.Join(errs...)
}

// Mapped is how many bytes of address space the segment's mappings take.
func (s *Segment) Mapped() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := int64(0)
	for _, m := range s.maps {
		sum += int64(m.size)
	}
	return sum
}

// ReleaseFD closes the descriptor and leaves what is mapped. The segment can
// not be passed on any more.
func (s *Segment) ReleaseFD() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
		s.fd = -1
	}
}

func (s *Segment) remember(m mapping) {
	s.mu.Lock()
	s.maps = append(s.maps, m)
	s.mu.Unlock()
}

func (s *Segment) checkRange(off, size int64) error {
	if off < 0 || size <= 0 || off%page != 0 || size%page != 0 || off > s.Size-size {
		return fmt.Errorf("%s %s: range %d+%d is outside its %d bytes: %w", s.Kind, s.ID, off, size, s.Size, mperr.ErrCorrupt)
	}
	return nil
}

// pointer turns an address that mmap returned into a pointer. The memory is
// not Go's: the collector neither moves nor frees it.
func pointer(addr uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}

func mmap(addr, size uintptr, prot, flags, fd int, off int64) (uintptr, error) {
	r, _, errno := syscall.Syscall6(unix.SYS_MMAP, addr, size, uintptr(prot), uintptr(flags), uintptr(fd), uintptr(off))
	if errno != 0 {
		return 0, errno
	}
	return r, nil
}

func munmap(addr, size uintptr) error {
	if _, _, errno := syscall.Syscall(unix.SYS_MUNMAP, addr, size, 0); errno != 0 {
		return errno
	}
	return nil
}
