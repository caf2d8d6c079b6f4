// Package frames is the protocol that Go clients of a manager speak: how calls
// and replies become bytes.
//
// A connection begins as one of CPython's does, with the same handshake, and
// its messages stand in the same frames: four bytes of length, most
// significant first, then the payload, which is one array of CBOR (RFC 8949)
// and so never begins with the 0x80 of a pickle:
//
//	client to server
//	  Hello   [0, 1, {"pid": uint, "name": text}]
//	  Call    [1, seq, object, method, patience, [args...]]
//	  Cancel  [2, seq, 0]
//	  Ack     [3, seq, 0]
//	server to client
//	  Hello   [0, 1, {"id": uint, "store": bytes of 16, "frame": uint}]
//	  Return  [4, seq, value, taken]
//	  Error   [5, seq, module, class, [args...], [names...]]
//	  Event   [6, seq, value]
//	  Bye     [7, 0, reason]
//
// Calls are pipelined, and replies come in any order: seq, which the client
// chooses and never uses twice, says what belongs together. Object 0 is the
// store itself. Patience is how many milliseconds the caller will wait, or
// null.
//
// Every Call gets one Return or one Error, also if it was cancelled; an Event
// is one item of the stream of a Call that is not answered yet. What a Return
// marked as taken carries was taken out of an object: the server keeps it
// until the client's Ack, and puts it back if Cancel or the end of the
// connection comes instead.
//
// # What is relied on
//
// Nothing: the bytes come from strangers. The parsed parts of a Frame are
// within it and have the types of the table. Values, and the items of args,
// are cut out as they are; package portable has to check them.
package frames

import (
	"fmt"

	"multiproc/internal/mperr"
)

// Version is the number in both Hellos.
const Version = 1

// Kind is the first item of a frame.
type Kind uint8

// The kinds of frames.
const (
	Hello Kind = iota
	Call
	Cancel
	Ack
	Return
	Error
	Event
	Bye
)

var kindNames = [...]string{"Hello", "Call", "Cancel", "Ack", "Return", "Error", "Event", "Bye"}

// String is the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// HasSeq reports whether frames of the kind belong to a call.
func (k Kind) HasSeq() bool { return k != Hello && k != Bye }

// NoPatience is the patience of a caller that waits for ever.
const NoPatience = -1

// IdentitySize is the length of the identity of a store.
const IdentitySize = 16

func corrupt(format string, args ...any) error {
	return fmt.Errorf("message: %s: %w", fmt.Sprintf(format, args...), mperr.ErrCorrupt)
}
