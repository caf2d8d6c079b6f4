// Package wire defines the messages that a process exchanges with its starter,
// over the control socket between them, and with the family's root.
//
// One message is one frame of a socket; descriptors that belong to it ride
// beside the frame and are not the business of this package. A message is
//
//	version, u8 | kind, u8 | the message's fields, one after the other
//
// Numbers are little-endian and of fixed width; a bool is one byte, 0 or 1; a
// string or byte slice is its length, u32, and its bytes; a list is its
// length, u32, and its elements. Hence every value has exactly one encoding,
// and whatever Decode accepts, Append gives back byte by byte.
//
// Both ends are the same program, so that there is no negotiation: a version
// that is not ours is refused. To add a message, write its type with the two
// methods of Message beside the others, and give it a number and a line in the
// table here.
package wire

import (
	"fmt"

	"multiproc/internal/mperr"
)

// Version is the first byte of every message. It changes whenever the fields
// or the numbers of messages do.
const Version = 3

// Kind is the second byte of a message: its number in the table.
type Kind uint8

// The numbers of the messages.
const (
	KindStart Kind = iota + 1
	KindCancel
	KindResult
	KindFailure
	KindAdopt
	KindOffer
	KindFetch
	KindFetched
	KindAck
	KindSettle
	KindHold
	KindReaped
)

// kinds is the table of all messages: their names in error texts, and what
// Decode makes of them.
var kinds = [...]struct {
	name string
	make func() Message
}{
	KindStart:   {"Start", func() Message { return new(Start) }},
	KindCancel:  {"Cancel", func() Message { return new(Cancel) }},
	KindResult:  {"Result", func() Message { return new(Result) }},
	KindFailure: {"Failure", func() Message { return new(Failure) }},
	KindAdopt:   {"Adopt", func() Message { return new(Adopt) }},
	KindOffer:   {"Offer", func() Message { return new(Offer) }},
	KindFetch:   {"Fetch", func() Message { return new(Fetch) }},
	KindFetched: {"Fetched", func() Message { return new(Fetched) }},
	KindAck:     {"Ack", func() Message { return new(Ack) }},
	KindSettle:  {"Settle", func() Message { return new(Settle) }},
	KindHold:    {"Hold", func() Message { return new(Hold) }},
	KindReaped:  {"Reaped", func() Message { return new(Reaped) }},
}

// String returns the message's name, or the bare number of one that this
// program does not know.
func (k Kind) String() string {
	if int(k) < len(kinds) && kinds[k].name != "" {
		return kinds[k].name
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Message is a pointer to one of this package's message types.
type Message interface {
	Kind() Kind

	// fields passes the address of every field to the coder, in the order of
	// the wire. The same method encodes and decodes, so that the two cannot
	// drift apart.
	fields(*coder)
}

// Append appends the encoding of m to dst. It cannot fail for strings, slices
// and lists below 4 GiB; longer ones panic.
func Append(dst []byte, m Message) []byte {
	c := coder{buf: append(dst, Version, byte(m.Kind()))}
	m.fields(&c)
	return c.buf
}

// Decode returns the message that b holds from its first to its last byte.
// Everything else is an error that wraps mperr.ErrCorrupt. Byte slices of the
// message alias b, which must not change as long as they are in use; strings
// are copies.
//
// What is allocated is bounded by a small multiple of len(b).
func Decode(b []byte) (Message, error) {
	switch {
	case len(b) < 2:
		return nil, fmt.Errorf("wire: a message of %d bytes: %w", len(b), mperr.ErrCorrupt)
	case b[0] != Version:
		return nil, fmt.Errorf("wire: a message of version %d, this program speaks version %d; both ends must run the same build: %w", b[0], Version, mperr.ErrCorrupt)
	}
	kind := Kind(b[1])
	if int(kind) >= len(kinds) || kinds[kind].make == nil {
		return nil, fmt.Errorf("wire: no message has the number %d: %w", b[1], mperr.ErrCorrupt)
	}
	m := kinds[kind].make()
	c := coder{buf: b, at: 2, decoding: true}
	m.fields(&c)
	if c.bad == "" && c.at < len(b) {
		c.fail("more bytes than the message has")
	}
	if c.bad != "" {
		return nil, fmt.Errorf("wire: %s message of %d bytes, at byte %d: %s: %w", kind, len(b), c.at, c.bad, mperr.ErrCorrupt)
	}
	return m, nil
}
