package frames

import "multiproc/internal/cbor"

// The functions below append a payload, or the beginning of one, to dst.

// AppendCall appends a Call up to the head of its arguments; the args items
// must follow. A negative time limit is none.
func AppendCall(dst []byte, seq, object uint64, method string, timeLimit int64, args int) []byte {
	dst = appendKind(dst, 6, Call, seq)
	dst = AppendText(AppendUint(dst, object), method)
	if timeLimit < 0 {
		dst = AppendNull(dst)
	} else {
		dst = AppendUint(dst, uint64(timeLimit))
	}
	return AppendArray(dst, args)
}

// AppendCancel appends a Cancel.
func AppendCancel(dst []byte, seq uint64) []byte {
	return append(appendKind(dst, 3, Cancel, seq), 0)
}

// AppendAck appends an Ack; confirm asks for a Return of null.
func AppendAck(dst []byte, seq uint64, confirm bool) []byte {
	n := byte(0)
	if confirm {
		n = 1
	}
	return append(appendKind(dst, 3, Ack, seq), n)
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
	return AppendUint(append(dst, cbor.MajorArray<<5|byte(items), byte(k)), n)
}
