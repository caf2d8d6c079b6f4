// Package payload is what every Go contestant does with a block of bytes at both ends, so that a transport that only
// passes a pointer on is not measured as if it had moved anything. The C and Python peers do the same.
package payload

import "fmt"

// line is the distance of the bytes that are touched: one in every cache line.
const line = 64

// Stamp writes the number of the message into every cache line of b.
func Stamp(b []byte, seq int) {
	for i := 0; i < len(b); i += line {
		b[i] = byte(seq)
	}
}

// Check reads every cache line of b and says what is wrong if it is not message seq of the given size.
func Check(b []byte, seq, size int) error {
	if len(b) != size {
		return fmt.Errorf("message %d has %d bytes, want %d", seq, len(b), size)
	}
	var wrong byte
	for i := 0; i < len(b); i += line {
		wrong |= b[i] ^ byte(seq)
	}
	if wrong != 0 {
		return fmt.Errorf("message %d carries another message's bytes", seq)
	}
	return nil
}
