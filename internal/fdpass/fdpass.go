// Package fdpass carries descriptors beside bytes over a Unix stream socket.
//
// What travels is a frame: some bytes and some descriptors that arrive
// together or not at all. On the socket a frame is
//
//	+--------------+--------------+--------------+- - - - - -+- - - - - -+
//	| payload, u32 | descrs., u16 | zero, u16    | fillers   | payload   |
//	+--------------+--------------+--------------+- - - - - -+- - - - - -+
//	0              4              6              8
//
// with little-endian numbers. Linux takes at most 253 descriptors with one
// message (SCM_MAX_FD) and hands them to whoever reads the message's first
// byte. Hence descriptors go in chunks of 250, and each chunk rides on a byte
// of its own: the first on the first byte of the header, every other on one
// zero byte, a filler, behind the header. A frame with at most 250
// descriptors has no filler and costs its writer one system call.
//
// The reader asks for exactly the bytes of one frame and never for more, so
// that it cannot come into the possession of the next frame's descriptors.
package fdpass

import (
	"encoding/binary"
	"errors"
	"fmt"

	"multiproc/internal/mperr"
)

const (
	// MaxPayload is the largest payload of one frame, in bytes.
	MaxPayload = 1 << 30

	// MaxDescriptors is the largest number of descriptors in one frame. The
	// kernel may refuse fewer: a process may have only so many open.
	MaxDescriptors = 1 << 14
)

const (
	headerSize = 8
	chunkSize  = 250 // descriptors per message; the kernel's limit is 253
)

// ErrLost is the error of ReadFrame for a frame whose descriptors did not all
// arrive.
var ErrLost = errors.New("descriptors were lost on arrival: this process may not open so many; close some, or raise its limit (ulimit -n)")

// header is what a frame says about itself.
type header struct {
	payload int // bytes
	descrs  int // descriptors
}

// fillers returns how many filler bytes stand between header and payload.
func (h header) fillers() int {
	return max(0, (h.descrs-1)/chunkSize)
}

func (h header) put(b *[headerSize]byte) {
	binary.LittleEndian.PutUint32(b[0:], uint32(h.payload))
	binary.LittleEndian.PutUint16(b[4:], uint16(h.descrs))
	binary.LittleEndian.PutUint16(b[6:], 0)
}

// parseHeader refuses what no writer of this package sends: such bytes come
// from a stranger, or from a stream whose reader has lost the beginning.
func parseHeader(b *[headerSize]byte) (header, error) {
	size := binary.LittleEndian.Uint32(b[0:])
	descrs := binary.LittleEndian.Uint16(b[4:])
	zero := binary.LittleEndian.Uint16(b[6:])
	if size > MaxPayload || descrs > MaxDescriptors || zero != 0 {
		return header{}, fmt.Errorf("fdpass: frame begins with % x: %w", b[:], mperr.ErrCorrupt)
	}
	return header{int(size), int(descrs)}, nil
}
