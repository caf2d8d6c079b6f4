package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func listenUnix(address string) (*net.UnixListener, error) {
	if address[0] == '@' {
		return bindUnix(address)
	}
	// Two servers that start at once must not both take the path for stale: the
	// second would remove the first one's new socket. The lock leaves no file.
	unlock, err := lockDir(filepath.Dir(address))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	defer unlock()
	l, err := bindUnix(address)
	if errors.Is(err, unix.EADDRINUSE) && stale(address) {
		if err := os.Remove(address); err != nil {
			return nil, fmt.Errorf("replace a dead server's socket: %w", err)
		}
		return bindUnix(address)
	}
	return l, err
}

// bindUnix listens on a socket whose file was never open to others. The
// kernel makes the file with the mode of the socket's inode, less the umask;
// the umask itself would be every goroutine's, and a chmod comes too late.
func bindUnix(address string) (*net.UnixListener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }); cerr != nil {
			return cerr
		}
		return err
	}}
	l, err := config.Listen(context.Background(), "unix", address)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

// stale reports whether a path is that of a socket on which nobody listens.
func stale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return false
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, unix.ECONNREFUSED)
}

// lockDir locks a directory against other servers that are about to listen.
// They hold it for a moment. Anybody who may read the directory can hold it for
// longer, and must not keep us out: after a while we go on without it, for that
// is no server.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	limit := time.Now().Add(2 * time.Second)
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		busy := errors.Is(err, unix.EWOULDBLOCK)
		if busy && time.Now().After(limit) {
			return func() { _ = f.Close() }, nil
		}
		if !busy && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock the directory %s: %w", dir, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
