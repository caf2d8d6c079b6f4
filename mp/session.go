package mp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"multiproc/internal/codec"
	"multiproc/internal/fdbroker"
	"multiproc/internal/local"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// A reference is how a handle stands in a message:
//
//	0  how   refBeside
//	1  side  of a pipe, 0 otherwise
//	2  index of the descriptor, uint16: of those beside the message, or of those
//	         in its parcel
//	4  id    of the object, 16 bytes
//
// The descriptor of what the object lends stands behind its own, and side says so.
//
// A handle to an object in a place has a reference of any length:
//
//	0  how   refPlace
//	1  size  of the driver's name
//	2  the driver's name, and what its Reference method returned
//
// A file or socket of another package has one that ends with its name:
//
//	0  how    refFile
//	1  zero
//	2  index  of the descriptor, as above
//	4  the name, of any length
const refSize = 20

// withLender is the side of an object that is not whole without another.
const withLender = 0x80

const (
	refBeside = 1
	refFile   = 2
	refPlace  = 3
)

// export is the session of one message that is being encoded. Its effects
// become final with commit or are taken back with rollback.
type export struct {
	f *family

	// Of the arguments of a child: descriptors ride beside the message, and the
	// child is counted as a holder of what is in it. It keeps all that only
	// while it lives.
	child *table.Ref
	// Of other messages: what they go into. Their descriptors are a parcel.
	to fdbroker.Carrier
	id fdbroker.ID // of the parcel, once it is offered

	ctx     context.Context // of the call
	fds     []int
	entries []fdbroker.Entry
	moved   []moving
	counted []func() // undo what was counted for the child
	places  [][]byte // references to objects in places
}

// moving is a handle that belongs to one holder at a time: an end of a pipe.
type moving interface {
	traveller
	hold(ctx context.Context, who table.Ref, delta int) error
	// part closes the handle, which has gone to somebody.
	part(to string)
}

// carrying is a handle by which messages can be taken that mention others.
type carrying interface {
	// carries tells which ring of the object they are taken out of.
	carries() (ring byte, ok bool)
}

// Export implements codec.Exporter.
func (e *export) Export(h codec.Handle) ([]byte, error) {
	if file, ok := h.(*codec.File); ok {
		return e.file(file)
	}
	s, ok := travellerOf(h)
	if !ok {
		return nil, fmt.Errorf("%T cannot travel to another process: %w", h, mperr.ErrType)
	}
	if obj := s.remote(); obj != nil {
		return e.refer(obj)
	}
	return e.memory(s)
}

// accompanied is a handle that does not travel alone: the references of the two stand
// one behind the other.
type accompanied interface {
	companion() traveller // nil: it is alone
	accompany(attach func(traveller) error) error
}

// memory refers to an object in memory, and to what goes with it.
func (e *export) memory(s traveller) ([]byte, error) {
	ref, err := e.alone(s)
	if a, ok := s.(accompanied); ok && err == nil {
		if c := a.companion(); c != nil {
			more, err := e.memory(c)
			return append(ref, more...), err
		}
	}
	return ref, err
}

func (e *export) alone(s traveller) ([]byte, error) {
	seg, release, err := s.borrow()
	if err != nil {
		return nil, err
	}
	defer release()
	if seg.Family != e.f.table.Family() {
		return nil, fmt.Errorf("%s %s: %w", seg.Kind, seg.ID, mperr.ErrForeign)
	}
	if len(e.fds) >= maxHandles {
		return nil, fmt.Errorf("more than %d handles in one message: %w", maxHandles, mperr.ErrTooLarge)
	}
	fd, err := seg.Dup()
	if err != nil {
		return nil, err
	}
	entry := fdbroker.Entry{ID: seg.ID, Side: s.side()}
	ref := make([]byte, refSize)
	ref[0], ref[1] = refBeside, entry.Side
	binary.LittleEndian.PutUint16(ref[2:], uint16(len(e.fds)))
	copy(ref[4:], seg.ID[:])
	e.fds = append(e.fds, fd)
	if m, ok := s.(moving); ok {
		if err := e.countEnd(m); err != nil {
			return nil, err
		}
		entry.Flags |= fdbroker.End
	}
	if c, ok := s.(carrying); ok {
		if ring, ok := c.carries(); ok {
			entry.Ring = ring
			entry.Flags |= fdbroker.Carries
			e.countCarrier(fdbroker.Carrier{Object: seg.ID, Ring: ring})
		}
	}
	e.entries = append(e.entries, entry)
	if b, ok := s.(borrower); ok && b.lender() != nil {
		if err := e.lend(b.lender()); err != nil {
			return nil, err
		}
		ref[1] |= withLender
	}
	return ref, nil
}

// borrower is a handle whose object may not be whole without another one's memory: a
// Cond that has the lock of a Mutex.
type borrower interface {
	// lender is that other object; nil if there is none.
	lender() local.Object
	// attachBeside is attach with the lender's segment, which it takes over, too.
	attachBeside(seg, lender *shm.Segment) error
}

// lend adds the descriptor of what the last one is not whole without.
func (e *export) lend(lender local.Object) error {
	seg, release, err := lender.Borrow()
	if err != nil {
		return err
	}
	defer release()
	fd, err := seg.Dup()
	if err != nil {
		return err
	}
	e.fds = append(e.fds, fd)
	e.entries = append(e.entries, fdbroker.Entry{ID: seg.ID})
	return nil
}

// maxHandles is what fits into a frame of descriptors, and into an index.
const maxHandles = 16_000

// countEnd notes an end of a pipe that moves, and counts the child that it
// moves to. Those in a parcel are counted by the root.
func (e *export) countEnd(m moving) error {
	if e.child != nil {
		if err := m.hold(e.ctx, *e.child, +1); err != nil {
			return err
		}
		e.counted = append(e.counted, func() { _ = m.hold(context.Background(), *e.child, -1) })
	}
	e.moved = append(e.moved, m)
	return nil
}

func (e *export) countCarrier(c fdbroker.Carrier) {
	if e.child != nil {
		e.f.broker.Hold(*e.child, c, +1)
		e.counted = append(e.counted, func() { e.f.broker.Hold(*e.child, c, -1) })
	}
}

// offer deposits what is in the message with the root, if anything is. After
// an error there is nothing but to roll back.
func (e *export) offer() error {
	if len(e.entries) == 0 {
		return nil
	}
	id := e.f.nextParcel()
	p := fdbroker.Parcel{ID: id, To: e.to, Entries: e.entries, FDs: e.fds}
	e.fds = nil // the broker's, whatever comes of it
	if err := e.f.broker.Offer(e.ctx, p); err != nil {
		return err
	}
	e.id = id
	return nil
}

// commit is called once the message is out: moved ends are no longer ours, but
// that of who is said.
func (e *export) commit(to string) {
	e.closeFDs()
	if e.id != (fdbroker.ID{}) {
		e.f.broker.Commit(e.id)
	}
	for _, m := range e.moved {
		m.part(to)
	}
}

// rollback is called when the message will not be sent.
func (e *export) rollback() {
	e.closeFDs()
	if e.id != (fdbroker.ID{}) {
		e.f.broker.Revoke(e.id)
	}
	for _, undo := range e.counted {
		undo()
	}
	for _, ref := range e.places {
		if obj, err := openReference(ref); err == nil {
			_ = obj.Close()
		}
	}
	e.id, e.moved, e.counted, e.places = fdbroker.ID{}, nil, nil, nil
}

func (e *export) closeFDs() {
	for _, fd := range e.fds {
		shm.CloseFD(fd)
	}
	e.fds = nil
}

// arrival is the session of one message that is being decoded. It owns the
// descriptors that came with it; close releases those nobody wanted.
type arrival struct {
	f      *family
	fds    []int
	parcel fdbroker.ID // that they were in; zero if they came beside the message
	spare  int         // a descriptor for what net opens beside them, see keepSpare; 0: none
	used   []int       // indexes of those that became handles
	got    []io.Closer // these handles
}

// fetch lends the parcel of a message: close must follow.
func (f *family) fetch(ctx context.Context, id fdbroker.ID) (*arrival, error) {
	p, err := f.broker.Fetch(ctx, id)
	if err != nil {
		return nil, err
	}
	a := &arrival{f: f, fds: p.FDs, parcel: id}
	if err := a.keepSpare(); err != nil {
		a.giveBack()
		return nil, err
	}
	return a, nil
}

// keepSpare holds one descriptor more if sockets are among those that came: net
// makes a duplicate of each, and who learns only then that no more may be opened
// has taken the message already.
func (a *arrival) keepSpare() (err error) {
	for _, fd := range a.fds {
		if fd >= 0 && shm.IsSocket(fd) {
			a.spare, err = shm.DupFD(fd)
			return err
		}
	}
	return nil
}

// useSpare gives it to whoever opens the next one.
func (a *arrival) useSpare() {
	if a.spare > 0 {
		shm.CloseFD(a.spare)
		a.spare = 0
	}
}

// Import implements codec.Importer. What is counted of the handle, an end of a
// pipe for example, was counted for this process by who gave it the descriptor.
func (a *arrival) Import(h codec.Handle, ref []byte) error {
	if file, ok := h.(*codec.File); ok {
		return a.file(file, ref)
	}
	s, ok := travellerOf(h)
	if ok && len(ref) > 0 && ref[0] == refPlace {
		if _, ok := s.(interface{ onlyMemory() }); ok {
			return fmt.Errorf("reference to an object in a place for a %T: %w", h, mperr.ErrType)
		}
		return a.visit(s, ref)
	}
	if !ok || len(ref) == 0 || len(ref)%refSize != 0 {
		return fmt.Errorf("reference of %d bytes to a %T: %w", len(ref), h, mperr.ErrCorrupt)
	}
	if err := a.memory(s, ref); err != nil {
		return err
	}
	a.got = append(a.got, s)
	return nil
}

// memory makes s a handle to the object that ref refers to, together with what goes with
// it.
func (a *arrival) memory(s traveller, ref []byte) error {
	if err := a.alone(s, ref[:refSize]); err != nil {
		return err
	}
	rest := ref[refSize:]
	if len(rest) == 0 {
		return nil
	}
	err := fmt.Errorf("reference of %d bytes: %w", len(ref), mperr.ErrCorrupt)
	if with, ok := s.(accompanied); ok {
		err = with.accompany(func(c traveller) error { return a.memory(c, rest) })
	}
	if err != nil {
		_ = s.Close()
	}
	return err
}

func (a *arrival) alone(s traveller, ref []byte) error {
	i := int(binary.LittleEndian.Uint16(ref[2:]))
	if ref[0] != refBeside || i >= len(a.fds) || a.fds[i] < 0 {
		return fmt.Errorf("reference % x to a handle: %w", ref, mperr.ErrCorrupt)
	}
	side := ref[1] &^ withLender
	finger, err := s.finger(side)
	if err != nil {
		return err
	}
	b, borrows := s.(borrower)
	if lent := ref[1] != side; lent && (!borrows || i+1 >= len(a.fds) || a.fds[i+1] < 0) {
		return fmt.Errorf("reference % x to a handle: %w", ref, mperr.ErrCorrupt)
	} else if !lent {
		b = nil
	}
	fd := a.fds[i]
	a.fds[i] = -1
	seg, err := shm.Open(fd, shm.Want{Kind: s.kind(), Family: a.f.table.Family(), Fingerprint: finger})
	if err != nil {
		return err
	}
	if id := shm.ID(ref[4:]); seg.ID != id {
		_ = seg.Close()
		return fmt.Errorf("%s %s where %s was sent: %w", seg.Kind, seg.ID, id, mperr.ErrCorrupt)
	}
	if b == nil {
		err = s.attach(a.f, seg, side)
	} else {
		err = a.attachBeside(b, seg, i+1)
	}
	if err != nil {
		return err
	}
	a.used = append(a.used, i)
	return nil
}

// attachBeside attaches a handle to what needs another one's memory, of which
// descriptor i is.
func (a *arrival) attachBeside(b borrower, seg *shm.Segment, i int) error {
	fd := a.fds[i]
	a.fds[i] = -1
	lender, err := shm.Open(fd, shm.Want{Kind: shm.KindMutex, Family: a.f.table.Family()})
	if err != nil {
		_ = seg.Close()
		return err
	}
	if err := b.attachBeside(seg, lender); err != nil {
		return err
	}
	a.used = append(a.used, i)
	return nil
}

// drop closes the handles that were filled in, where the message as a whole
// does not reach anybody.
func (a *arrival) drop() {
	for _, s := range a.got {
		_ = s.Close()
	}
}

// close ends the session of a message that is here: it releases what nobody
// wanted of it.
func (a *arrival) close() {
	a.closeFDs()
	if a.parcel == (fdbroker.ID{}) {
		return
	}
	used := make([]bool, len(a.fds))
	for _, i := range a.used {
		used[i] = true
	}
	var unused []int
	for i := range used {
		if !used[i] {
			unused = append(unused, i)
		}
	}
	a.f.broker.Taken(a.parcel, unused)
}

// giveBack ends the session of a message that is not ours after all.
func (a *arrival) giveBack() {
	a.closeFDs()
	a.f.broker.Returned(a.parcel)
}

func (a *arrival) closeFDs() {
	a.useSpare()
	for _, fd := range a.fds {
		if fd >= 0 {
			shm.CloseFD(fd)
		}
	}
}

// revoked reports whether an error says that a message counts as never sent.
func revoked(err error) bool { return errors.Is(err, fdbroker.ErrRevoked) }

// newSegment makes the segment of a new object of this process's family.
func newSegment(kind shm.Kind, finger [16]byte, size int64, params [4]uint64) (*family, *shm.Segment, error) {
	f, err := theFamily()
	if err != nil {
		return nil, nil, err
	}
	seg, err := local.Create(f.table.Family(), kind, finger, size, params)
	return f, seg, err
}
