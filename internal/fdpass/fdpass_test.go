package fdpass

import (
	"bytes"
	"errors"
	"testing"

	"multiproc/internal/mperr"
)

func TestHeaderLayout(t *testing.T) {
	var b [headerSize]byte
	header{payload: 0x01020304, descrs: 0x0506}.put(&b)
	if want := []byte{4, 3, 2, 1, 6, 5, 0, 0}; !bytes.Equal(b[:], want) {
		t.Errorf("header is % x, want % x", b[:], want)
	}
	if h, err := parseHeader(&b); err != nil || h.payload != 0x01020304 || h.descrs != 0x0506 {
		t.Errorf("parseHeader = %+v, %v", h, err)
	}
}

func TestHeaderRefusesGarbage(t *testing.T) {
	for _, b := range [][headerSize]byte{
		{0, 0, 0, 0, 0, 0, 1, 0},       // reserved bits
		{1, 0, 0, 0x40, 0, 0, 0, 0},    // one byte above MaxPayload
		{0, 0, 0, 0, 0x01, 0x40, 0, 0}, // one above MaxDescriptors
	} {
		if h, err := parseHeader(&b); !errors.Is(err, mperr.ErrCorrupt) {
			t.Errorf("parseHeader(% x) = %+v, %v, want ErrCorrupt", b, h, err)
		}
	}
}

func TestFillers(t *testing.T) {
	for descrs, want := range map[int]int{0: 0, 1: 0, 250: 0, 251: 1, 500: 1, 501: 2, MaxDescriptors: 65} {
		if got := (header{descrs: descrs}).fillers(); got != want {
			t.Errorf("%d descriptors: %d fillers, want %d", descrs, got, want)
		}
	}
}
