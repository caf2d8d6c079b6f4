package fdpass

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"multiproc/internal/mperr"
)

// firstRoom bounds what is allocated on a header's word alone. A longer
// payload makes its room grow as its bytes arrive.
const firstRoom = 1 << 20

// ReadFrame returns the next frame; it blocks until there is one. The
// descriptors are close-on-exec, and the caller's to close.
//
// A peer that has closed gives io.EOF between two frames and
// io.ErrUnexpectedEOF inside one; a Conn closed here is os.ErrClosed, bytes
// that are no frame are mperr.ErrCorrupt. After any of these the place in the
// stream is lost, every later call gives the same error, and no descriptor
// that came with the broken frame stays open.
//
// A frame some of whose descriptors this process could not take, for want of
// room in its table, is ErrLost. It is the loss of this frame only: its payload
// is returned beside the error, none of its descriptors is, and the next frame
// follows.
func (c *Conn) ReadFrame() (payload []byte, fds []int, err error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	if c.rerr != nil {
		return nil, nil, c.rerr
	}
	payload, fds, err = c.readLocked()
	if err == nil {
		return payload, fds, nil
	}
	closeAll(fds)
	if errors.Is(err, ErrLost) {
		return payload, nil, err
	}
	c.rerr = err
	return nil, nil, err
}

// readLocked may return descriptors beside an error; they must be closed.
func (c *Conn) readLocked() (payload []byte, fds []int, err error) {
	var head [headerSize]byte
	c.lost = false
	for at := 0; at < headerSize; {
		n, err := c.recv(head[at:], &fds)
		if at > 0 {
			err = truncated(err)
		}
		if err != nil {
			return nil, fds, err
		}
		at += n
	}
	h, err := parseHeader(&head)
	if err != nil {
		return nil, fds, err
	}
	if err := c.readFillers(h.fillers(), &fds); err != nil {
		return nil, fds, err
	}
	if len(fds) != h.descrs && !(c.lost && len(fds) < h.descrs) {
		return nil, fds, fmt.Errorf("fdpass: %d descriptors came with a frame that announces %d: %w", len(fds), h.descrs, mperr.ErrCorrupt)
	}
	payload, err = c.readPayload(h.payload)
	if err == nil && c.lost {
		err = ErrLost
	}
	return payload, fds, err
}

// readFillers reads the n bytes on which the second and later chunks ride.
func (c *Conn) readFillers(n int, fds *[]int) error {
	var fillers [MaxDescriptors / chunkSize]byte
	for n > 0 {
		// The kernel ends a read at the first byte that brings descriptors,
		// so that no room is needed for more than one chunk at a time.
		got, err := c.recv(fillers[:n], fds)
		if err != nil {
			return truncated(err)
		}
		for _, b := range fillers[:got] {
			if b != 0 {
				return fmt.Errorf("fdpass: filler byte %#x, want 0: %w", b, mperr.ErrCorrupt)
			}
		}
		n -= got
	}
	return nil
}

func (c *Conn) readPayload(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b := make([]byte, min(n, firstRoom))
	for at := 0; at < n; {
		if at == len(b) {
			b = append(b, make([]byte, min(n-at, at))...)
		}
		// No room for descriptors: should any ride here, the kernel drops
		// them, says so, and recv reports it.
		got, err := c.recv(b[at:], nil)
		if err != nil {
			return nil, truncated(err)
		}
		at += got
	}
	return b, nil
}

// recv reads at least one byte into p, and appends what descriptors came
// along to fds. It appends them also when it returns an error.
func (c *Conn) recv(p []byte, fds *[]int) (int, error) {
	var oob []byte
	if fds != nil {
		if c.oob == nil {
			c.oob = make([]byte, unix.CmsgSpace(4*(chunkSize+3)))
		}
		oob = c.oob
	}
	var n, oobn, flags int
	var rerr error
	perr := c.raw.Read(func(fd uintptr) bool {
		n, oobn, flags, rerr = recvmsg(int(fd), p, oob)
		return !errors.Is(rerr, unix.EAGAIN)
	})
	switch {
	case perr != nil:
		return 0, c.pollError("read", perr)
	case errors.Is(rerr, unix.ECONNRESET):
		// The peer closed while bytes of ours lay unread on its side. What it
		// sent before has been read by now: this is the end of the stream.
		return 0, io.EOF
	case rerr != nil:
		return 0, fmt.Errorf("fdpass: read: %w", rerr)
	}
	if oobn > 0 {
		if err := collect(oob[:oobn], fds); err != nil {
			return 0, err
		}
	}
	switch {
	case flags&unix.MSG_CTRUNC != 0 && fds == nil:
		return 0, fmt.Errorf("fdpass: descriptors where only bytes belong: %w", mperr.ErrCorrupt)
	case n == 0:
		return 0, io.EOF
	}
	// The kernel had to drop descriptors on arrival. The only reason with a
	// buffer that holds a whole chunk is this process's own limit. The bytes
	// are intact, and so is the place in the stream.
	c.lost = c.lost || flags&unix.MSG_CTRUNC != 0
	return n, nil
}

// recvmsg is the system call, repeated while signals interrupt it.
func recvmsg(fd int, p, oob []byte) (n, oobn, flags int, err error) {
	for {
		n, oobn, flags, _, err = unix.Recvmsg(fd, p, oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		if !errors.Is(err, unix.EINTR) {
			return n, oobn, flags, err
		}
	}
}

// collect appends the descriptors of all control messages in oob to fds.
func collect(oob []byte, fds *[]int) error {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("fdpass: control message: %w", err)
	}
	for i := range msgs {
		if msgs[i].Header.Level != unix.SOL_SOCKET || msgs[i].Header.Type != unix.SCM_RIGHTS {
			continue // SO_PASSCRED and its kind, set by a former owner of the socket
		}
		got, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			return fmt.Errorf("fdpass: control message: %w", err)
		}
		*fds = append(*fds, got...)
	}
	return nil
}

// truncated turns the end of the stream into what it means within a frame.
func truncated(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
