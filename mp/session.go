package mp

import (
	"encoding/binary"
	"fmt"
	"io"

	"multiproc/internal/codec"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// A reference is how a handle stands in a message:
//
//	0  how   refBeside: the descriptor is beside the message;
//	         refTicket: it is deposited with the family's root
//	1  side  of a pipe, 0 otherwise
//	2  index of the descriptor beside the message, uint16
//	4  id    of the object, 16 bytes
//
// A handle to an object in a place has a reference of any length:
//
//	0  how   refPlace
//	1  size  of the driver's name
//	2  the driver's name, and what its Reference method returned
const refSize = 20

const (
	refBeside = 1
	refTicket = 2
	refPlace  = 3
)

// export is the session of one message that is being encoded. Its effects,
// deposits and moved pipe ends, become final with commit or are taken back
// with rollback.
type export struct {
	f      *family
	beside bool      // descriptors can ride beside the message
	to     table.Ref // who will hold the pipe ends in it
	fds    []int
	ids    []shm.ID
	moved  []moving
	places [][]byte // references to objects in places
}

// moving is a handle that belongs to one holder at a time: an end of a pipe.
type moving interface {
	shared
	hold(who table.Ref, delta int) error
	Close() error
}

// Export implements codec.Session.
func (e *export) Export(h codec.Handle) ([]byte, error) {
	p, ok := placeOf(h)
	if ok && p.inPlace() != nil {
		return e.refer(p.inPlace())
	}
	s, isShared := h.(shared)
	switch {
	case ok && !isShared:
		return nil, errNoObject
	case !isShared:
		return nil, fmt.Errorf("%T cannot travel to another process: %w", h, mperr.ErrType)
	}
	seg, release, err := s.borrow()
	if err != nil {
		return nil, err
	}
	defer release()
	if seg.Family != e.f.table.Family() {
		return nil, fmt.Errorf("%s %s: %w", seg.Kind, seg.ID, mperr.ErrForeign)
	}
	fd, err := seg.Dup()
	if err != nil {
		return nil, err
	}
	ref := make([]byte, refSize)
	ref[1] = s.side()
	copy(ref[4:], seg.ID[:])
	if e.beside {
		ref[0] = refBeside
		binary.LittleEndian.PutUint16(ref[2:], uint16(len(e.fds)))
		e.fds = append(e.fds, fd)
	} else {
		ref[0] = refTicket
		if err := e.f.broker.Offer(seg.ID, fd); err != nil {
			return nil, err
		}
		e.ids = append(e.ids, seg.ID)
	}
	if m, ok := h.(moving); ok {
		if err := m.hold(e.to, +1); err != nil {
			return nil, err
		}
		e.moved = append(e.moved, m)
	}
	return ref, nil
}

// Import is not for this direction.
func (e *export) Import(codec.Handle, []byte) error { panic("mp: export session used to decode") }

// commit is called once the message is out: moved ends are no longer ours.
func (e *export) commit() {
	e.closeFDs()
	for _, m := range e.moved {
		_ = m.Close() // the only error says that it was closed meanwhile
	}
}

// rollback is called when the message will not be sent.
func (e *export) rollback() {
	e.closeFDs()
	for _, id := range e.ids {
		if fd, err := e.f.broker.Fetch(id); err == nil {
			shm.CloseFD(fd)
		}
	}
	for _, m := range e.moved {
		_ = m.hold(e.to, -1)
	}
	for _, ref := range e.places {
		if obj, err := openReference(ref); err == nil {
			_ = obj.Close()
		}
	}
	e.ids, e.moved, e.places = nil, nil, nil
}

func (e *export) closeFDs() {
	for _, fd := range e.fds {
		shm.CloseFD(fd)
	}
	e.fds = nil
}

// arrival is the session of one message that is being decoded. It owns the
// descriptors that came beside it; close releases those nobody wanted.
type arrival struct {
	f   *family
	fds []int
	got []io.Closer // the handles that were filled in
}

// Export is not for this direction.
func (a *arrival) Export(codec.Handle) ([]byte, error) {
	panic("mp: arrival session used to encode")
}

// Import implements codec.Session.
func (a *arrival) Import(h codec.Handle, ref []byte) error {
	if len(ref) > 0 && ref[0] == refPlace {
		return a.visit(h, ref)
	}
	s, ok := h.(shared)
	if !ok || len(ref) != refSize {
		return fmt.Errorf("reference of %d bytes to a %T: %w", len(ref), h, mperr.ErrCorrupt)
	}
	fd, err := a.descriptor(ref)
	if err != nil {
		return err
	}
	finger, err := s.finger(ref[1])
	if err != nil {
		shm.CloseFD(fd)
		return err
	}
	seg, err := shm.Open(fd, shm.Want{Kind: s.kind(), Family: a.f.table.Family(), Fingerprint: finger})
	if err != nil {
		return err
	}
	if err := s.attach(a.f, seg, ref[1]); err != nil {
		return err
	}
	a.got = append(a.got, s)
	m, ok := h.(moving)
	if !ok || ref[0] == refBeside {
		return nil // the sender has counted this process as a holder
	}
	// While the message was under way the root held the end for us.
	if err := m.hold(a.f.table.Self(), +1); err != nil {
		return err
	}
	return m.hold(table.Root, -1)
}

func (a *arrival) descriptor(ref []byte) (int, error) {
	switch ref[0] {
	case refTicket:
		return a.f.broker.Fetch(shm.ID(ref[4:]))
	case refBeside:
		i := int(binary.LittleEndian.Uint16(ref[2:]))
		if i < len(a.fds) && a.fds[i] >= 0 {
			fd := a.fds[i]
			a.fds[i] = -1
			return fd, nil
		}
	}
	return -1, fmt.Errorf("reference % x to a handle: %w", ref, mperr.ErrCorrupt)
}

// drop closes the handles that were filled in, where the message as a whole
// does not reach anybody.
func (a *arrival) drop() {
	for _, s := range a.got {
		_ = s.Close()
	}
}

// close releases the descriptors that nobody wanted.
func (a *arrival) close() {
	for _, fd := range a.fds {
		if fd >= 0 {
			shm.CloseFD(fd)
		}
	}
}
