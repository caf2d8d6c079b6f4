//go:build !linux

package server

import (
	"net"
	"runtime"

	"multiproc/internal/mperr"
)

func listenUnix(string) (*net.UnixListener, error) {
	return nil, &mperr.UnsupportedError{Facility: "a private Unix socket", Platform: runtime.GOOS + "/" + runtime.GOARCH}
}
