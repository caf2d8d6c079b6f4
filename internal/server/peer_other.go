//go:build !linux

package server

import (
	"net"
	"runtime"

	"multiproc/internal/mperr"
)

func peerMayConnect(*net.UnixConn) bool { return false }

func unsent(net.Conn) int { return 0 }

func arriving(net.Conn) int { return 1 }

func peerPID(net.Conn) int { return 0 }

// lifeline exists on Linux only; nowhere else is a peer's pid known.
type lifeline struct{ pid int }

func newLifeline(_ net.Conn, pid int) *lifeline { return &lifeline{pid} }

func (*lifeline) ended() bool { return false }

func (*lifeline) wait(closed <-chan struct{}) { <-closed }

func (*lifeline) close() {}

func maxFiles() int { return 0 }

func listenUnix(string) (*net.UnixListener, error) {
	return nil, &mperr.UnsupportedError{Facility: "a private Unix socket", Platform: runtime.GOOS + "/" + runtime.GOARCH}
}
