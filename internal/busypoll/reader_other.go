//go:build !linux

package busypoll

import "net"

// Reader reads from a connection, as the connection itself does.
type Reader struct{ net.Conn }

// New returns a reader of c.
func New(c net.Conn) *Reader { return &Reader{c} }
