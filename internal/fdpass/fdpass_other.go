//go:build !linux

package fdpass

import (
	"runtime"
	"time"

	"multiproc/internal/mperr"
)

// Conn does not exist on this platform: nothing makes one.
type Conn struct{}

func refuse() error {
	return &mperr.UnsupportedError{Facility: "passing descriptors", Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

// Pair refuses and names the platform.
func Pair() (a, b *Conn, err error) { return nil, nil, refuse() }

// FromFD refuses and names the platform; the descriptor stays the caller's.
func FromFD(int) (*Conn, error) { return nil, refuse() }

// FD returns -1.
func (*Conn) FD() int { return -1 }

// Dup refuses and names the platform.
func (*Conn) Dup() (int, error) { return -1, refuse() }

// WriteFrame refuses and names the platform.
func (*Conn) WriteFrame([]byte, []int) error { return refuse() }

// TryWriteFrame refuses and names the platform.
func (*Conn) TryWriteFrame([]byte, []int) (bool, error) { return false, refuse() }

// Roomy is of no meaning on this platform.
func Roomy([]int) bool { return true }

// ReadFrame refuses and names the platform.
func (*Conn) ReadFrame() ([]byte, []int, error) { return nil, nil, refuse() }

// Close refuses and names the platform.
func (*Conn) Close() error { return refuse() }

// SetReadDeadline refuses and names the platform.
func (*Conn) SetReadDeadline(time.Time) error { return refuse() }
