package frames

import "encoding/binary"

// HeaderSize is the size of the length before each payload.
const HeaderSize = 4

// Begin leaves room for the header of a frame at the end of dst. The payload
// is appended next; then End fills in its length.
func Begin(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// End fills in the header that Begin left room for when dst was start bytes
// long. The payload must be shorter than 2 GiB.
func End(dst []byte, start int) {
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-HeaderSize))
}

// The functions below append a payload, or the beginning of one, to dst.

// ClientHello is what a client says of itself.
type ClientHello struct {
	PID  uint64 // of its process; 0: unknown
	Name string
}

// AppendClientHello appends a client's Hello.
func AppendClientHello(dst []byte, h ClientHello) []byte {
	dst = appendKind(dst, 3, Hello, Version)
	dst = AppendMap(dst, 2)
	dst = AppendUint(AppendText(dst, "pid"), h.PID)
	return AppendText(AppendText(dst, "name"), h.Name)
}

// ServerHello is what a server says of itself.
type ServerHello struct {
	ID    uint64             // of the client's session
	Store [IdentitySize]byte // which store this is: no other one has the same
	Frame uint64             // the longest payload that the server accepts
}

// AppendServerHello appends a server's Hello.
func AppendServerHello(dst []byte, h ServerHello) []byte {
	dst = appendKind(dst, 3, Hello, Version)
	dst = AppendMap(dst, 3)
	dst = AppendUint(AppendText(dst, "id"), h.ID)
	dst = AppendBytes(AppendText(dst, "store"), h.Store[:])
	return AppendUint(AppendText(dst, "frame"), h.Frame)
}

// AppendCall appends a Call up to the head of its arguments; the args items
// must follow. A negative patience is none.
func AppendCall(dst []byte, seq, object uint64, method string, patience int64, args int) []byte {
	dst = appendKind(dst, 6, Call, seq)
	dst = AppendText(AppendUint(dst, object), method)
	if patience < 0 {
		dst = AppendNull(dst)
	} else {
		dst = AppendUint(dst, uint64(patience))
	}
	return AppendArray(dst, args)
}

// AppendCancel appends a Cancel.
func AppendCancel(dst []byte, seq uint64) []byte {
	return append(appendKind(dst, 3, Cancel, seq), 0)
}

// AppendAck appends an Ack.
func AppendAck(dst []byte, seq uint64) []byte {
	return append(appendKind(dst, 3, Ack, seq), 0)
}

// AppendReturn appends the beginning of a Return; one item, and then
// AppendTaken, must follow.
func AppendReturn(dst []byte, seq uint64) []byte { return appendKind(dst, 4, Return, seq) }

// AppendTaken appends the end of a Return.
func AppendTaken(dst []byte, taken bool) []byte { return AppendBool(dst, taken) }

// AppendError appends the beginning of an Error: the exception's class and the
// head of its arguments; the args items, and then AppendNames, must follow.
func AppendError(dst []byte, seq uint64, module, class string, args int) []byte {
	dst = appendKind(dst, 6, Error, seq)
	return AppendArray(AppendText(AppendText(dst, module), class), args)
}

// AppendNames appends the end of an Error: the names of the errors that it
// wraps.
func AppendNames(dst []byte, names []string) []byte {
	dst = AppendArray(dst, len(names))
	for _, name := range names {
		dst = AppendText(dst, name)
	}
	return dst
}

// AppendEvent appends the beginning of an Event; one item must follow.
func AppendEvent(dst []byte, seq uint64) []byte { return appendKind(dst, 3, Event, seq) }

// AppendBye appends a Bye.
func AppendBye(dst []byte, reason string) []byte {
	return AppendText(appendKind(dst, 3, Bye, 0), reason)
}

// appendKind appends what all payloads begin with.
func appendKind(dst []byte, items int, k Kind, n uint64) []byte {
	return AppendUint(append(dst, majorArray<<5|byte(items), byte(k)), n)
}
