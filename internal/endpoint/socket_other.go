//go:build !linux

package endpoint

import (
	"net"
	"syscall"
)

// TuneTCP does nothing here.
func TuneTCP(net.Conn) {}

// WatchTCP does nothing here.
func WatchTCP(net.Conn) {}

// NewTryWriter makes no writer here: only blocking writes exist.
func NewTryWriter(syscall.RawConn) TryWriter { return nil }
