// Package fdbroker brings shared objects to processes that have no socket in
// common with the one that holds them.
//
// An object that is put into a queue may be taken out by any process of the
// family, at a time when the one that put it there is long gone. So the
// descriptors of a message's handles are deposited with the family's root,
// which outlives everybody: as a parcel, whose name stands at the front of the
// message. Whoever gets the message fetches the parcel.
//
// # What is held, and until when
//
// While a parcel is with the root, the root holds its descriptors, and counts
// as a holder of the ends of pipes in it. The root alone changes those counts,
// so that a death at any moment leaves nothing that nobody gives back. It
// hears of a death, or of an end in order, by the end of the process's
// connection.
//
//   - Offer, put, Commit. A connection that ends between the first and the last
//     revokes the parcel: the message, if it is there, counts as never put, and
//     whoever finds it throws it away.
//   - Fetch, take, Settle. A fetched parcel is lent: its taker is counted as a
//     holder beside the root, and the message is taken only when everything in
//     it has come. Several may fetch one parcel; the message decides whose it
//     is, and the others return it. If a borrower's connection ends, the message
//     may have gone with it. So the parcel is dropped as soon as nobody else
//     has it on loan.
//   - A parcel goes with its carrier. Processes tell the root of each handle by
//     which parcels can be taken out of something (Hold). When the last one is
//     gone, in whatever way, the parcels in it are dropped, and with them the
//     handles to further carriers. A carrier that is only in parcels counts
//     while one of these can be got at: carriers that lie in each other are
//     found by looking up from each (see Root.reachable).
//   - The carrier of a task's result is its starter. What a child offered and
//     did not answer with is dropped when the starter says that it is reaped.
//
// A shortage of descriptors, at either side, is an error of the request that
// meets it: the parcel stays, and so does the message. The root refuses what
// would leave its program too few.
//
// # Why this way
//
// The kernel does not tell when a memory file has lost its last user: there are
// no leases, and no inotify, on a memfd. A list of holders in the object's
// memory, as a pipe has it, would bound the processes that can share a queue,
// and somebody would have to read it at the right moment. A connection's end is
// something that the kernel sees to, after the last store of a process. What
// carries no handles tells the root nothing, and costs nothing.
//
// The root alone counts, since what one process counts on behalf of another
// stays counted if it dies in between, and since what a spoilt message mentions
// is counted for nobody who could find it there.
//
// Tried and rejected: to fetch after the message is taken (a getter that is
// killed, short of descriptors or out of time loses it); to announce the
// taking under the ring's lock (it would be held while a socket is written); one
// ticket for each handle (a message with an error leaves those behind it).
package fdbroker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"multiproc/internal/fdpass"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/internal/table"
	"multiproc/internal/wire"
)

// ID names a parcel: the process that offered it, and its number there.
type ID [16]byte

// NewID is the name of a process's n-th parcel; n begins with 1.
func NewID(process table.Ref, n uint64) (id ID) {
	binary.LittleEndian.PutUint64(id[0:], process.Pack())
	binary.LittleEndian.PutUint64(id[8:], n)
	return id
}

func (id ID) process() table.Ref { return table.Unpack(binary.LittleEndian.Uint64(id[:])) }

// Carrier is what parcels are taken out of.
type Carrier = wire.Carrier

// ofProcess marks a carrier that is a process.
const ofProcess = 0xff

// ToProcess is the carrier of what a process's children answer.
func ToProcess(ref table.Ref) (c Carrier) {
	binary.LittleEndian.PutUint64(c.Object[:], ref.Pack())
	c.Ring = ofProcess
	return c
}

// Entry describes a handle in a parcel.
type Entry = wire.Handle

// What an Entry's flags say is counted of the handle.
const (
	End     = 1 << iota // it is an end of a pipe: who holds it
	Carries             // parcels can be taken out of it: who can
)

func carrierOf(e Entry) Carrier { return Carrier{Object: e.ID, Ring: e.Ring} }

// Parcel is the handles of one message: their descriptors in the order of the
// entries.
type Parcel struct {
	ID      ID
	To      Carrier
	Entries []Entry
	FDs     []int
}

func (p *Parcel) close() { closeAll(p.FDs) }

// ErrRevoked says that there is no such parcel any more: the process that
// offered it died before its message counted, or one that fetched it died with
// it.
var ErrRevoked = errors.New("the parcel was revoked")

// Broker deposits and fetches parcels. Implementations are safe for concurrent
// use. Calls without a context do not wait for anybody.
type Broker interface {
	// Offer deposits a parcel. It takes the descriptors over. After an error
	// nothing is deposited, nor will be.
	Offer(ctx context.Context, p Parcel) error
	// Commit says that the message that names the parcel is out.
	Commit(id ID)
	// Revoke says that it will never be.
	Revoke(id ID)
	// Fetch lends a parcel, whose descriptors are the caller's. Unless it
	// returns an error, Taken or Returned must follow. It returns ErrRevoked
	// for a parcel whose message counts as never put; after any other error
	// the parcel is where it was.
	Fetch(ctx context.Context, id ID) (Parcel, error)
	// Taken says that this process has the message. unused are the handles of
	// it that did not come to be here. Without Fetch it drops the parcel.
	Taken(id ID, unused []int)
	// Returned undoes Fetch.
	Returned(id ID)
	// Hold counts handles by which parcels can be taken out of a carrier, of
	// this process or of a child that is being started.
	Hold(who table.Ref, c Carrier, delta int)
	// Reaped says that a child has ended, and which parcel is in its answer;
	// zero for none.
	Reaped(child table.Ref, answer ID)
	// Connect makes a connection to the root for a child of the caller's that
	// has this place in the table: the end that the child inherits.
	Connect(ctx context.Context, child table.Ref) (*fdpass.Conn, error)
}

// Holder is an end of a pipe of which the root counts holders.
type Holder interface {
	// Hold counts delta more handles of a process.
	Hold(ctx context.Context, who table.Ref, delta int) error
	// Close gives the Holder's own memory back.
	Close()
}

// OpenEnd gives access to the holders of an end of a pipe behind fd, which
// stays the caller's.
type OpenEnd func(fd int, e Entry) (Holder, error)

func call(f func()) {
	if f != nil {
		f()
	}
}

func closeAll(fds []int) {
	for _, fd := range fds {
		shm.CloseFD(fd)
	}
}

func errUnknown(id ID) error {
	return fmt.Errorf("parcel %x: %w", id[:], mperr.ErrCorrupt)
}
