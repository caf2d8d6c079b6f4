package wire

import (
	"encoding/binary"
	"math"
)

// coder walks the fields of a message, in either direction: it appends them
// to buf, or it fills them from buf. After the first mistake in what it
// decodes it leaves all further fields alone.
type coder struct {
	buf      []byte
	at       int // the next byte to decode
	decoding bool
	bad      string // what is wrong with buf, "" if nothing is
}

func (c *coder) fail(what string) {
	if c.bad == "" {
		c.bad = what
	}
}

// take returns the next n bytes, or nil if there are fewer.
func (c *coder) take(n int) []byte {
	if c.bad != "" {
		return nil
	}
	if n > len(c.buf)-c.at {
		c.fail("a field reaches beyond the end")
		return nil
	}
	b := c.buf[c.at : c.at+n : c.at+n]
	c.at += n
	return b
}

func (c *coder) u8(v *uint8) {
	if !c.decoding {
		c.buf = append(c.buf, *v)
	} else if b := c.take(1); b != nil {
		*v = b[0]
	}
}

func (c *coder) u32(v *uint32) {
	if !c.decoding {
		c.buf = binary.LittleEndian.AppendUint32(c.buf, *v)
	} else if b := c.take(4); b != nil {
		*v = binary.LittleEndian.Uint32(b)
	}
}

func (c *coder) i32(v *int32) {
	u := uint32(*v)
	c.u32(&u)
	*v = int32(u)
}

func (c *coder) i64(v *int64) {
	if !c.decoding {
		c.buf = binary.LittleEndian.AppendUint64(c.buf, uint64(*v))
	} else if b := c.take(8); b != nil {
		*v = int64(binary.LittleEndian.Uint64(b))
	}
}

func (c *coder) bool(v *bool) {
	if !c.decoding {
		var b byte
		if *v {
			b = 1
		}
		c.buf = append(c.buf, b)
	} else if b := c.take(1); b != nil {
		if b[0] > 1 {
			c.fail("a bool is neither 0 nor 1")
		}
		*v = b[0] == 1
	}
}

func (c *coder) id(v *[16]byte) {
	if !c.decoding {
		c.buf = append(c.buf, v[:]...)
	} else if b := c.take(len(v)); b != nil {
		*v = [16]byte(b)
	}
}

// size codes a length. While decoding it refuses one whose elements, of at
// least elem bytes each, cannot follow: nobody allocates on its word.
func (c *coder) size(n, elem int) int {
	if uint64(n) > math.MaxUint32 {
		panic("wire: a field of 4 GiB or more")
	}
	u := uint32(n)
	c.u32(&u)
	if c.decoding && c.bad == "" && uint64(u)*uint64(elem) > uint64(len(c.buf)-c.at) {
		c.fail("a length reaches beyond the end")
	}
	if c.bad != "" {
		return 0
	}
	return int(u)
}

func (c *coder) str(v *string) {
	n := c.size(len(*v), 1)
	if !c.decoding {
		c.buf = append(c.buf, *v...)
	} else {
		*v = string(c.take(n))
	}
}

// bytes leaves an empty slice nil when it decodes.
func (c *coder) bytes(v *[]byte) {
	n := c.size(len(*v), 1)
	if !c.decoding {
		c.buf = append(c.buf, *v...)
	} else if n > 0 {
		*v = c.take(n)
	}
}

// strs leaves an empty list nil when it decodes.
func (c *coder) strs(v *[]string) {
	n := c.size(len(*v), 4)
	if c.decoding && n > 0 {
		*v = make([]string, n)
	}
	for i := range *v {
		c.str(&(*v)[i])
	}
}

// u32s leaves an empty list nil when it decodes.
func (c *coder) u32s(v *[]uint32) {
	n := c.size(len(*v), 4)
	if c.decoding && n > 0 {
		*v = make([]uint32, n)
	}
	for i := range *v {
		c.u32(&(*v)[i])
	}
}
