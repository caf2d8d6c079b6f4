package mp

import (
	"encoding/binary"
	"fmt"
	"os"

	"multiproc/internal/codec"
	"multiproc/internal/fdbroker"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
)

func init() { codec.RegisterFile(func(f *os.File) (*os.File, error) { return f, nil }) }

// refFileSize is the size of a reference to a file without a name.
const refFileSize = 4

// file makes the reference by which an open file or a socket travels. It rides
// and waits as the descriptors of handles do; nothing is counted of it.
func (e *export) file(f *codec.File) ([]byte, error) {
	if len(e.fds) > maxHandles {
		return nil, fmt.Errorf("more than %d handles in one message: %w", maxHandles, mperr.ErrTooLarge)
	}
	fd, err := dup(f)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", f, err)
	}
	ref := make([]byte, refFileSize)
	ref[0] = refFile
	binary.LittleEndian.PutUint16(ref[2:], uint16(len(e.fds)))
	e.fds = append(e.fds, fd)
	e.entries = append(e.entries, fdbroker.Entry{})
	return append(ref, f.Name()...), nil
}

// dup returns a second descriptor of an open file. Unlike the method Fd of
// os.File it leaves the file's mode as it is, for that is common to both.
func dup(f *codec.File) (fd int, err error) {
	conn, closed := f.Conn()
	if closed == nil {
		closed = conn.Control(func(its uintptr) { fd, err = shm.DupFD(int(its)) })
	}
	if closed != nil { // the one reason for which there is no descriptor
		return -1, fmt.Errorf("%w: %w", mperr.ErrClosed, closed)
	}
	return fd, err
}

// file makes an open file or a socket of a reference. NewFile finds out
// whether it is in non-blocking mode, so deadlines work where they did.
func (a *arrival) file(f *codec.File, ref []byte) error {
	if len(ref) < refFileSize || ref[0] != refFile {
		return fmt.Errorf("reference of %d bytes to a file: %w", len(ref), mperr.ErrCorrupt)
	}
	i := int(binary.LittleEndian.Uint16(ref[2:]))
	if i >= len(a.fds) || a.fds[i] < 0 {
		return fmt.Errorf("reference % x to a file: %w", ref[:refFileSize], mperr.ErrCorrupt)
	}
	fd := a.fds[i]
	a.fds[i] = -1
	a.useSpare()
	if err := f.Fill(os.NewFile(uintptr(fd), string(ref[refFileSize:]))); err != nil {
		return err
	}
	_ = a.keepSpare() // for the next; there was room for it a moment ago
	a.used = append(a.used, i)
	a.got = append(a.got, f)
	return nil
}
