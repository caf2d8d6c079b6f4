package manager

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Listen makes a listener for Serve. The forms of address are
//
//	host:port, [::1]:0   TCP, IPv4 or IPv6; port 0 is any free one
//	/run/orders, ./sock  a Unix socket: what contains a slash
//	@orders              a Unix socket in the abstract namespace of Linux
//
// A Unix socket is for this user (and root) only: its file has mode 0600 from
// its first moment on, and peers of other users, whom nothing else keeps from
// an abstract socket, are turned away as they connect. The socket of a server
// that died is replaced; one on which somebody listens is an error. Closing
// the listener removes the file.
func Listen(address string) (net.Listener, error) {
	network, err := networkOf(address)
	if err != nil {
		return nil, err
	}
	if network == "tcp" {
		return new(net.ListenConfig).Listen(context.Background(), network, address)
	}
	l, err := listenUnix(address)
	if err != nil {
		return nil, err
	}
	own := &ownListener{UnixListener: l}
	if address[0] != '@' {
		l.SetUnlinkOnClose(false) // it would remove whatever has that name by then
		if err := own.findFile(address); err != nil {
			return nil, errors.Join(err, os.Remove(address), l.Close())
		}
	}
	return own, nil
}

// maxPath is the length of the longest path that a socket can have; one byte
// of the kernel's 108 ends it for peers written in C.
const maxPath = 107

// networkOf tells the kind of an address by its form.
func networkOf(address string) (string, error) {
	switch {
	case address == "":
		return "", fmt.Errorf("no address: want host:port, a path with a slash in it, or @name")
	case address[0] != '@' && !strings.Contains(address, "/"):
	case len(address) > maxPath:
		return "", fmt.Errorf("address %q: a socket's path has at most %d bytes; choose a directory higher up, or an @name", address, maxPath)
	default:
		return "unix", nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", fmt.Errorf("address %q: want host:port, a path with a slash in it, or @name: %w", address, err)
	}
	return "tcp", nil
}

// ownListener accepts connections of this user's processes, and of root's.
type ownListener struct {
	*net.UnixListener
	path string // of its file, absolute; empty: it has none
	file os.FileInfo
	once sync.Once // removes the file
}

func (l *ownListener) findFile(address string) (err error) {
	if l.path, err = filepath.Abs(address); err == nil {
		l.file, err = os.Lstat(l.path)
	}
	return err
}

// Close ends the listener, and removes its file unless that is another's.
func (l *ownListener) Close() error {
	l.once.Do(func() { // while the socket is there nothing else has the inode's number
		if l.path == "" {
			return
		}
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(l.file, now) {
			_ = os.Remove(l.path)
		}
	})
	return l.UnixListener.Close()
}

// Accept waits for the next connection of a process that may connect.
func (l *ownListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if peerMayConnect(c) {
			return c, nil
		}
		_ = c.Close()
	}
}

// AddressOf is the address of a listener in the form that Listen and Dial
// take: with the port that was chosen, for example.
func AddressOf(l net.Listener) string { return l.Addr().String() }
