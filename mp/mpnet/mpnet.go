// Package mpnet lets sockets travel between the processes of a program, as the
// handles of package mp do. Import it for its effect, in each package that
// mentions such a type to mp:
//
//	import _ "multiproc/mp/mpnet"
//
//	var Serve = mp.Proc(serve)
//
//	func serve(ctx context.Context, l *net.TCPListener) error
//
// Then *net.TCPListener, *net.UnixListener, *net.TCPConn, *net.UnixConn,
// *net.UDPConn and *net.IPConn may be anywhere in the arguments and results of
// tasks, and in what goes through queues and pipes in memory; and so may a
// net.Listener, net.Conn or net.PacketConn that holds one of them. Package mp does
// not do this itself because it does not link net.
//
// The receiver has a descriptor of its own for the same socket, and closes it.
// The sender's stays open; a connection ends when all of them are closed. A message
// under way counts as one.
//
// Several processes may accept on one listener: each connection goes to one of
// them. A listener of a Unix socket that has arrived does not remove the
// socket's file when it is closed, and the sender's does, unless it is told
// SetUnlinkOnClose(false).
//
// Deadlines belong to the value and do not travel. A TCP connection arrives with
// the options of a new one: no delay, keep-alive.
package mpnet

import (
	"fmt"
	"net"
	"os"

	"multiproc/internal/codec"
)

func init() {
	codec.RegisterFile(listener[*net.TCPListener])
	codec.RegisterFile(func(f *os.File) (*net.UnixListener, error) {
		l, err := listener[*net.UnixListener](f)
		if err == nil {
			l.SetUnlinkOnClose(false)
		}
		return l, err
	})
	codec.RegisterFile(conn[*net.TCPConn])
	codec.RegisterFile(conn[*net.UnixConn])
	codec.RegisterFile(conn[*net.UDPConn])
	codec.RegisterFile(conn[*net.IPConn])
}

func listener[L net.Listener](f *os.File) (l L, err error) {
	defer func() { _ = f.Close() }() // net duplicates it
	v, err := net.FileListener(f)
	if err != nil {
		return l, err
	}
	return as[L](v)
}

func conn[C net.Conn](f *os.File) (c C, err error) {
	defer func() { _ = f.Close() }() // net duplicates it
	v, err := net.FileConn(f)
	if err != nil {
		return c, err
	}
	return as[C](v)
}

// as is v as what was sent.
func as[T interface{ Close() error }](v interface{ Close() error }) (T, error) {
	t, ok := v.(T)
	if !ok {
		_ = v.Close()
		return t, fmt.Errorf("the socket that came is a %T", v)
	}
	return t, nil
}
