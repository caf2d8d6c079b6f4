package pymp

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"multiproc/internal/shm"
)

// sharedDir is where the C library has POSIX shared memory.
const sharedDir = "/dev/shm"

// createShared makes the memory first and then its name, by which nobody finds it
// half made. Where that is not possible the name comes first, as in Python.
func createShared(name string, size int) ([]byte, error) {
	path := filepath.Join(sharedDir, name)
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW); err == nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: unix.EEXIST} // before any memory is taken
	}
	fd, err := openAgain(sharedDir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC)
	if noNameless || err != nil {
		if err == nil {
			_ = unix.Close(fd)
		}
		return createNamed(path, size)
	}
	defer unix.Close(fd)
	mem, err := allot(fd, size)
	if err != nil {
		return nil, err
	}
	switch err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW); err {
	case nil:
		return mem, nil
	case unix.EEXIST:
		_ = unix.Munmap(mem)
		return nil, &fs.PathError{Op: "create", Path: path, Err: err}
	default: // no /proc
		_ = unix.Munmap(mem)
		return createNamed(path, size)
	}
}

// noNameless is for tests: no nameless files.
var noNameless = false

// createNamed makes the name first. Who dies between the two leaves it without a
// size, which openShared refuses.
func createNamed(path string, size int) ([]byte, error) {
	fd, err := openAgain(path, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	mem, err := allot(fd, size)
	if err != nil {
		_ = unix.Unlink(path)
	}
	return mem, err
}

// allot gives a new file its size and its memory, and maps it.
func allot(fd, size int) ([]byte, error) {
	if most := shm.MaxFile(); int64(size) > most { // else the kernel would end the program by SIGXFSZ
		return nil, fmt.Errorf("%w: this process may make files of %d bytes at most (RLIMIT_FSIZE, ulimit -f), and shared memory counts", unix.EFBIG, most)
	}
	if err := again(func() error { return unix.Ftruncate(fd, int64(size)) }); err != nil {
		return nil, err
	}
	if err := reserve(fd, int64(size), int64(size)); err != nil {
		return nil, err
	}
	return unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// reserve makes the kernel take the memory of a file, of which so much is missing.
// Ftruncate takes none: each page comes with its first access, and if there is none
// left then, the access is a SIGBUS, which a Go program cannot handle.
//
// What the directory has is asked first: else a size that cannot be would fill it
// up, and take memory from others, before it fails. It goes in steps: a signal ends
// a step, and what the step has taken is given back.
func reserve(fd int, size, missing int64) error {
	var dir unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(fd, &dir) }); err != nil {
		return err
	}
	free := dir.Bavail * uint64(dir.Bsize)
	if dir.Blocks > 0 && uint64(missing) > free { // no blocks at all: it has no limit
		return errNoMemory(unix.ENOSPC, free)
	}
	const step = 16 << 20
	for off := int64(0); off < size; off += step {
		err := again(func() error { return unix.Fallocate(fd, 0, off, min(step, size-off)) })
		if err != nil {
			return errNoMemory(err, free)
		}
	}
	return nil
}

// openShared maps what has that name. It does not follow links, wait for pipes or
// open anything but memory.
func openShared(name string) ([]byte, error) {
	fd, err := openAgain(filepath.Join(sharedDir, name), unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return nil, err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, fmt.Errorf("it is no memory, but a file of mode %#o: %w", st.Mode, fs.ErrInvalid)
	case st.Size == 0:
		return nil, errNoSize
	}
	const block = 512 // the unit of Blocks, whatever the file system's is
	if missing := st.Size - st.Blocks*block; missing > 0 {
		if err := reserve(fd, st.Size, missing); err != nil {
			return nil, err
		}
	}
	return unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func unlinkShared(name string) error {
	path := filepath.Join(sharedDir, name)
	if err := unix.Unlink(path); err != nil {
		return &fs.PathError{Op: "unlink", Path: path, Err: err}
	}
	return nil
}

func unmapShared(mem []byte) error { return unix.Munmap(mem) }

// openAgain opens a file for this user only.
func openAgain(path string, flags int) (fd int, err error) {
	err = again(func() (err error) {
		fd, err = unix.Open(path, flags, 0o600)
		return err
	})
	if err != nil {
		err = &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, err
}

// again repeats what a signal has ended.
func again(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
