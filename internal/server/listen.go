package server

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"

	"multiproc/internal/endpoint"
)

// Listen makes a listener: see manager.Listen.
func Listen(address string) (net.Listener, error) {
	network, err := endpoint.Network(address)
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

// AddressOf is the address of a listener in the form that Listen takes.
func AddressOf(l net.Listener) string { return l.Addr().String() }
