package mpnet

import (
	"net"
	"os"
)

func Listener[L net.Listener](f *os.File) (L, error) { return listener[L](f) }
func Conn[C net.Conn](f *os.File) (C, error)         { return conn[C](f) }
