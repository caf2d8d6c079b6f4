package shm

import (
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"multiproc/internal/mperr"
)

func testHeader() Header {
	h := Header{Kind: KindArray, Params: [4]uint64{1, 2 << 8, 3 << 16, 1<<64 - 1}, Size: 0x123000}
	for i := range 16 {
		h.ID[i], h.Family[i], h.Fingerprint[i] = byte(i), byte(0x40+i), byte(0x80+i)
	}
	return h
}

// The bytes are the format: a change here is a new layout version.
func TestHeaderGolden(t *testing.T) {
	if os.Getpagesize() != 4096 {
		t.Logf("the golden header is for 4 KiB pages; this machine's have %d bytes", os.Getpagesize())
		return
	}
	want := strings.Join([]string{
		"6d7073686d0d0a00", // magic
		"01000000",         // version
		"08010000",         // arch: little-endian, 8-byte words
		"05000000",         // kind
		"00100000",         // page size
		"0030120000000000", // size
		"000102030405060708090a0b0c0d0e0f",
		"404142434445464748494a4b4c4d4e4f",
		"808182838485868788898a8b8c8d8e8f",
		"0100000000000000", "0002000000000000", "0000030000000000", "ffffffffffffffff",
		"0000000000000000", // reserved
		"de3756ed4f813a10", // checksum
	}, "")
	h := testHeader()
	b := h.encode()
	if got := hex.EncodeToString(b[:]); got != want {
		t.Errorf("header\n%s, want\n%s", got, want)
	}
	back, err := decodeHeader(b[:], h.Size)
	if err != nil || back != h {
		t.Errorf("decoded %+v, %v", back, err)
	}
	offsets := []int{offVersion, offArch, offKind, offPage, offSize, offID, offFamily, offFinger, offParams, offSum, HeaderSize}
	for i, want := range []int{8, 12, 16, 20, 24, 32, 48, 64, 80, 120, 128} {
		if offsets[i] != want {
			t.Errorf("offset %d is %d, want %d", i, offsets[i], want)
		}
	}
}

// Kinds are numbers in files of other processes: never renumber them.
func TestKindsGolden(t *testing.T) {
	for i, k := range []Kind{KindFamily, KindQueue, KindPipe, KindValue, KindArray, KindCounter, KindMutex, KindRawValue, KindRawArray} {
		if k != Kind(i+1) {
			t.Errorf("%s is %d, want %d", k, k, i+1)
		}
		if strings.HasPrefix(k.String(), "kind ") {
			t.Errorf("kind %d has no name", k)
		}
	}
	if Kind(0).String() != "kind 0" || Kind(99).String() != "kind 99" {
		t.Errorf("unknown kinds are %q and %q", Kind(0), Kind(99))
	}
}

// Any single wrong byte is refused.
func TestHeaderEveryByteCounts(t *testing.T) {
	h := testHeader()
	good := h.encode()
	for i := range good {
		b := good
		b[i] ^= 0x10
		if _, err := decodeHeader(b[:], h.Size); !errors.Is(err, mperr.ErrCorrupt) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for n := range HeaderSize {
		if _, err := decodeHeader(good[:n], h.Size); !errors.Is(err, mperr.ErrCorrupt) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := decodeHeader(good[:], h.Size+1); !errors.Is(err, mperr.ErrCorrupt) {
		t.Errorf("another file size: %v", err)
	}
}

func TestWant(t *testing.T) {
	h := testHeader()
	good := Want{Kind: h.Kind, Family: h.Family, Fingerprint: h.Fingerprint}
	if err := good.check(h); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		change func(*Want)
		want   error
	}{
		{func(w *Want) { w.Family[3]++ }, mperr.ErrForeign},
		{func(w *Want) { w.Kind++ }, mperr.ErrType},
		{func(w *Want) { w.Fingerprint[0]++ }, mperr.ErrType},
		{func(w *Want) { w.Family[3]++; w.Kind++ }, mperr.ErrForeign},
	} {
		w := good
		c.change(&w)
		if err := w.check(h); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", w, err, c.want)
		}
	}
}
