package fdpass

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"multiproc/internal/mperr"
)

// WriteFrame sends one frame. The descriptors stay the caller's, who may
// close them as soon as WriteFrame has returned: the kernel holds references
// of its own. It blocks while the socket is full. Frames of concurrent
// writers never mix.
//
// After an error nothing was sent, unless the frame was cut short in its
// middle; then this and every later WriteFrame say so. A peer that is gone is
// syscall.EPIPE (no signal is raised), a Conn closed here is os.ErrClosed.
// The kernel answers ETOOMANYREFS while a user without privileges has more
// descriptors under way, in all sockets together, than one process may open.
func (c *Conn) WriteFrame(payload []byte, fds []int) error {
	if len(payload) > MaxPayload {
		return fmt.Errorf("fdpass: a frame of %d bytes, at most %d are allowed: %w", len(payload), MaxPayload, mperr.ErrTooLarge)
	}
	if len(fds) > MaxDescriptors {
		return fmt.Errorf("fdpass: a frame with %d descriptors, at most %d are allowed", len(fds), MaxDescriptors)
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.werr != nil {
		return c.werr
	}
	if len(fds) > chunkSize {
		// The kernel looks at one chunk at a time, and a bad number in a later
		// one would cut the frame short. About 0.1 µs a descriptor.
		for _, fd := range fds {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
				return fmt.Errorf("fdpass: descriptor %d: %w", fd, err)
			}
		}
	}
	return c.cut(c.writeLocked(payload, fds))
}

// TryWriteFrame is WriteFrame that sends nothing and reports false where it
// would have to wait. It is for small frames: one with more than 250
// descriptors always waits.
func (c *Conn) TryWriteFrame(payload []byte, fds []int) (sent bool, err error) {
	if len(payload) > maxTry || len(fds) > chunkSize || !c.wmu.TryLock() {
		return false, nil
	}
	defer c.wmu.Unlock()
	if c.werr != nil {
		return false, c.werr
	}
	var head [headerSize]byte
	header{len(payload), len(fds)}.put(&head)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	// The kernel makes one packet of so few bytes, and takes all or none.
	bufs := advance([][]byte{head[:], payload}, 0)
	var n int
	var serr error
	perr := c.raw.Control(func(fd uintptr) { n, serr = sendmsg(int(fd), bufs, oob) })
	switch {
	case perr != nil:
		return false, c.pollError("write", perr)
	case errors.Is(serr, unix.EAGAIN):
		return false, nil
	case serr != nil:
		return false, fmt.Errorf("fdpass: write: %w", plainer(serr))
	}
	if rest := advance(bufs, n); len(rest) > 0 {
		_, err = c.send(nil, rest...)
		return true, c.cut(true, err)
	}
	return true, nil
}

// maxTry is the largest payload that TryWriteFrame sends.
const maxTry = 16 << 10

// cut remembers that a frame was cut short.
func (c *Conn) cut(sent bool, err error) error {
	if err != nil && sent {
		err = fmt.Errorf("fdpass: an earlier frame was cut short, nothing more can be sent: %w", err)
		c.werr = err
	}
	return err
}

// writeLocked tells whether any byte has left, beside the error.
func (c *Conn) writeLocked(payload []byte, fds []int) (sent bool, err error) {
	h := header{len(payload), len(fds)}
	var head [headerSize]byte
	h.put(&head)

	chunk := fds[:min(len(fds), chunkSize)]
	if h.fillers() == 0 {
		return c.send(chunk, head[:], payload)
	}
	if sent, err = c.send(chunk, head[:]); err != nil {
		return sent, err
	}
	for rest := fds[len(chunk):]; len(rest) > 0; rest = rest[len(chunk):] {
		chunk = rest[:min(len(rest), chunkSize)]
		if _, err = c.send(chunk, []byte{0}); err != nil {
			return true, err
		}
	}
	_, err = c.send(nil, payload)
	return true, err
}

// send writes all of bufs; fds ride on the first byte. The kernel may take a
// part of the bytes, but the descriptors go with the first part as a whole:
// it splits what it takes into packets and attaches them to the first.
func (c *Conn) send(fds []int, bufs ...[]byte) (sent bool, err error) {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for bufs = advance(bufs, 0); len(bufs) > 0; {
		var n int
		var serr error
		perr := c.raw.Write(func(fd uintptr) bool {
			n, serr = sendmsg(int(fd), bufs, oob)
			return !errors.Is(serr, unix.EAGAIN)
		})
		switch {
		case perr != nil:
			return sent, c.pollError("write", perr)
		case serr != nil:
			return sent, fmt.Errorf("fdpass: write: %w", plainer(serr))
		}
		bufs = advance(bufs, n)
		sent, oob = true, nil
	}
	return sent, nil
}

// plainer gives one condition one error. ECONNRESET says that the peer closed
// without having read everything, in the very moment in which the kernel looked
// for room; the next attempt would give EPIPE.
func plainer(err error) error {
	if errors.Is(err, unix.ECONNRESET) {
		return unix.EPIPE
	}
	return err
}

// sendmsg is the system call, repeated while signals interrupt it.
func sendmsg(fd int, bufs [][]byte, oob []byte) (int, error) {
	for {
		n, err := unix.SendmsgBuffers(fd, bufs, oob, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// advance drops the first n bytes, and all buffers that are empty then.
func advance(bufs [][]byte, n int) [][]byte {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if n > 0 {
		bufs[0] = bufs[0][n:]
	}
	return bufs
}
