package fdbroker

import (
	"context"
	"fmt"
	"syscall"

	"multiproc/internal/fdpass"
	"multiproc/internal/mperr"
	"multiproc/internal/table"
	"multiproc/internal/wire"
)

// Offer deposits a parcel, and returns when the root has it: the message that
// names it must not arrive anywhere before.
func (c *Client) Offer(ctx context.Context, p Parcel) error {
	a, err := c.ask(ctx, p.FDs, func(n uint32) wire.Message {
		return &wire.Offer{Request: n, Parcel: p.ID, To: p.To, Handles: p.Entries}
	})
	if err != nil {
		c.Revoke(p.ID) // the request may be on its way
		return err
	}
	return a.acknowledged()
}

// acknowledged is the error that an answer without contents brings.
func (a answer) acknowledged() error {
	closeAll(a.fds)
	ack, ok := a.m.(*wire.Ack)
	if !ok {
		return fmt.Errorf("the family's root answered with a %T: %w", a.m, mperr.ErrCorrupt)
	}
	return heard(ack.Error, ack.Errno)
}

// heard is an error that the root told.
func heard(text string, number uint32) error {
	switch {
	case text == "":
		return nil
	case number != 0:
		return &rootError{text, syscall.Errno(number)}
	}
	return &rootError{text, nil}
}

// rootError is an error of the root's.
type rootError struct {
	text  string
	cause error
}

func (e *rootError) Error() string { return e.text }
func (e *rootError) Unwrap() error { return e.cause }

// Fetch lends a parcel.
func (c *Client) Fetch(ctx context.Context, id ID) (Parcel, error) {
	a, err := c.ask(ctx, nil, func(n uint32) wire.Message { return &wire.Fetch{Request: n, Parcel: id} })
	if err != nil {
		return Parcel{}, err
	}
	f, ok := a.m.(*wire.Fetched)
	switch {
	case !ok || f.Parcel != id:
		closeAll(a.fds)
		return Parcel{}, fmt.Errorf("the family's root answered with a %T: %w", a.m, mperr.ErrCorrupt)
	case f.Error != "":
		closeAll(a.fds)
		return Parcel{}, heard(f.Error, f.Errno)
	case !f.Found:
		closeAll(a.fds)
		return Parcel{}, ErrRevoked
	case a.lost || len(a.fds) != len(f.Handles):
		closeAll(a.fds)
		c.Returned(id)
		return Parcel{}, fmt.Errorf("%w: %w", fdpass.ErrLost, syscall.EMFILE)
	}
	return Parcel{ID: id, Entries: f.Handles, FDs: a.fds}, nil
}

// Connect makes a connection to the root for a child of this process.
func (c *Client) Connect(ctx context.Context, child table.Ref) (*fdpass.Conn, error) {
	theirs, root, err := fdpass.Pair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	fd, err := root.Dup()
	if err != nil {
		_ = theirs.Close()
		return nil, err
	}
	a, err := c.ask(ctx, []int{fd}, func(n uint32) wire.Message {
		return &wire.Adopt{Request: n, Slot: child.Slot, Gen: child.Gen}
	})
	if err == nil {
		err = a.acknowledged()
	}
	if err != nil {
		_ = theirs.Close()
		return nil, err
	}
	return theirs, nil
}

// Commit says that the parcel's message is out. It returns when that is
// written: a death from then on leaves the message where it is. A full socket
// would keep it waiting, but the root has just answered on this one.
func (c *Client) Commit(id ID) {
	f := &frame{payload: wire.Append(nil, &wire.Settle{Parcel: id, What: wire.Committed}), written: make(chan struct{})}
	c.send(f)
	<-f.written
}

// Revoke says that the parcel's message will never be out.
func (c *Client) Revoke(id ID) { c.tell(&wire.Settle{Parcel: id, What: wire.Revoked}) }

// Taken says that this process has the message of a parcel.
func (c *Client) Taken(id ID, unused []int) {
	c.tell(&wire.Settle{Parcel: id, What: wire.Taken, Unused: indexes(unused)})
}

// Returned undoes Fetch.
func (c *Client) Returned(id ID) { c.tell(&wire.Settle{Parcel: id, What: wire.Returned}) }

// Hold counts handles of this process or of a child that is being started.
func (c *Client) Hold(who table.Ref, of Carrier, delta int) {
	c.tell(&wire.Hold{Slot: who.Slot, Gen: who.Gen, Carrier: of, Delta: int32(delta)})
}

// Reaped says that a child has ended.
func (c *Client) Reaped(child table.Ref, answer ID) {
	c.tell(&wire.Reaped{Slot: child.Slot, Gen: child.Gen, Parcel: answer})
}

// tell sends what has no answer.
func (c *Client) tell(m wire.Message) { c.send(&frame{payload: wire.Append(nil, m)}) }
