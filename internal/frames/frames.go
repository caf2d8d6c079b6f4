// Package frames is the protocol that Go clients of a manager speak: how calls
// and replies become bytes.
//
// A connection begins as one of CPython's does, with the same handshake. Then
// each side says Hello, in a frame of CPython's kind: four bytes of length, most
// significant first, and the payload. All later frames have a longer header:
//
//	0  length of what follows, so that it is a frame of CPython's as well
//	4  number: frames of each direction are counted from 1, as long as the
//	   session lives; the last 32 bits
//	8  got: the number of the last frame that has come from the other side
//	12 CRC-32C of the payload
//	16 CRC-32C of the sixteen bytes before
//
// A payload is one array of CBOR (RFC 8949) and so never begins with the 0x80 of
// a pickle:
//
//	client to server
//	  Hello   [0, 2, {"pid": uint, "name": text, "host": bytes of 24, "session": bytes of 16, "got": uint, "sum": uint}]
//	  Call    [1, seq, object, method, time limit, [args...]]
//	  Cancel  [2, seq, 0]
//	  Ack     [3, seq, confirm]
//	server to client
//	  Hello   [0, 2, {"session": bytes of 16, "store": bytes of 16, "frame": uint, "grace": uint, "got": uint, "direct": bool, "sum": uint}]
//	  Return  [4, seq, value, taken]
//	  Error   [5, seq, module, class, [args...], [names...]]
//	  Event   [6, seq, value]
//	both
//	  Bye     [7, 0, reason]
//
// A frame without a payload, a nod, only says what has come. It is not counted:
// its number is that of the last frame that is. A client's nod is answered by
// one of the server's.
//
// # Calls
//
// Calls are pipelined, and replies come in any order: seq, which the client
// chooses and which rises, says what belongs together. Object 0 is the store
// itself. Timeout is how many milliseconds the caller will wait, or null.
//
// Every Call gets one Return or one Error, also if it was cancelled; an Event
// is one item of the stream of a Call that is not answered yet. What a Return
// marked as taken carries was taken out of an object: the server keeps it
// until the client's Ack, and puts it back if Cancel or the end of the
// session comes instead. An Ack that asks for it is answered by a Return of
// null: from then on nobody else will get what was taken.
//
// # Sessions
//
// A session outlives its connections. What each side sends it keeps until the
// other side's got says that it came. A client that has lost its connection
// makes another, and says in its Hello which session it resumes and how many
// frames of it have come; the server's Hello says how many came to it. Then
// both send again, with their old numbers, the frames that did not. So every
// frame comes once and in order, and a Call is carried out once, whatever
// happens to connections: a number that was had before is passed over, and one
// that leaves a gap ends the connection, as does a frame whose check does not
// agree with it.
//
// "grace" is how many milliseconds the server keeps a session without a
// connection. It answers with a Bye instead of a Hello if it does not know the
// session any more. A Bye ends the session, in both directions. "direct" is
// said if nothing is between the two ends of the socket: then what one has
// given to its kernel, the other will read.
//
// # What is relied on
//
// Nothing: the bytes come from strangers. The parsed parts of a Frame are
// within it and have the types of the table. Values, and the items of args,
// are cut out as they are; package interchange has to check them. The checks find
// accidents; they keep nobody out who means to change frames: TLS does.
package frames

import (
	"fmt"

	"multiproc/internal/mperr"
)

// Version is the number in both Hellos.
const Version = 2

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

// NoTimeout is the time limit of a caller that waits for ever.
const NoTimeout = -1

// IdentitySize is the length of the identity of a store.
const IdentitySize = 16

func corrupt(format string, args ...any) error {
	return fmt.Errorf("message: %s: %w", fmt.Sprintf(format, args...), mperr.ErrCorrupt)
}
