package frames

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// HeaderSize is the size of what stands before each payload once both Hellos
// were said.
const HeaderSize = 20

// extraSize is how much of the header the length counts, which CPython's
// frames begin with.
const extraSize = HeaderSize - 4

// Extra is how much longer a frame is than its payload, for those who read it
// as one of CPython's.
const Extra = extraSize

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Begin leaves room for the header of a frame at the end of dst. The payload
// is appended next; then End fills in the header.
func Begin(dst []byte) []byte {
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// End fills in the header that Begin left room for when dst was start bytes
// long: number is the frame's, and got that of the last frame that has come
// from the other side. The payload must be shorter than 2 GiB.
func End(dst []byte, start int, number, got uint64) {
	payload, h := dst[start+HeaderSize:], dst[start:start+HeaderSize]
	binary.BigEndian.PutUint32(h, uint32(len(payload)+extraSize))
	binary.BigEndian.PutUint32(h[4:], uint32(number))
	binary.BigEndian.PutUint32(h[8:], uint32(got))
	binary.BigEndian.PutUint32(h[12:], crc32.Checksum(payload, castagnoli))
	binary.BigEndian.PutUint32(h[16:], crc32.Checksum(h[:16], castagnoli))
}

// AppendNod appends a whole frame without a payload, which has the number of the
// last one that has.
func AppendNod(dst []byte, number, got uint64) []byte {
	start := len(dst)
	dst = Begin(dst)
	End(dst, start, number, got)
	return dst
}

// Head is the header of a frame.
type Head struct {
	Size        int // of the payload
	Number, Got uint32
	sum         uint32
}

// ParseHead reads the header that b begins with, all of which must be there. An
// error says that it was damaged on its way.
func ParseHead(b []byte) (h Head, err error) {
	n := binary.BigEndian.Uint32(b)
	if binary.BigEndian.Uint32(b[16:]) != crc32.Checksum(b[:16], castagnoli) || n < extraSize || n > math.MaxInt32 {
		return h, corrupt("damaged on its way: the check of its header does not agree with it")
	}
	return Head{
		Size: int(n) - extraSize, Number: binary.BigEndian.Uint32(b[4:]), Got: binary.BigEndian.Uint32(b[8:]),
		sum: binary.BigEndian.Uint32(b[12:]),
	}, nil
}

// Check is an error if the payload is not the one that was sent.
func (h *Head) Check(payload []byte) error {
	if len(payload) != h.Size || crc32.Checksum(payload, castagnoli) != h.sum {
		return errPayload
	}
	return nil
}

var errPayload = corrupt("damaged on its way: the check of its payload does not agree with it")

// Checker is Check for a payload that is not kept.
type Checker struct {
	head Head
	size int
	sum  uint32
}

// Checker checks the payload of the header's frame.
func (h Head) Checker() *Checker { return &Checker{head: h} }

// Add takes the next part of the payload.
func (c *Checker) Add(part []byte) {
	c.size += len(part)
	c.sum = crc32.Update(c.sum, castagnoli, part)
}

// Err is that of Check.
func (c *Checker) Err() error {
	if c.size != c.head.Size || c.sum != c.head.sum {
		return errPayload
	}
	return nil
}

// Extend is the number whose last 32 bits are low, and which is next to near.
func Extend(near uint64, low uint32) uint64 {
	return near + uint64(int64(int32(low-uint32(near))))
}
