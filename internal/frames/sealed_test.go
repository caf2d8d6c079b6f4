package frames

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"multiproc/internal/mperr"
)

// open reads a frame as a receiver does.
func open(b []byte) (h Head, payload []byte, err error) {
	if h, err = ParseHead(b); err != nil {
		return h, nil, err
	}
	payload = b[HeaderSize:]
	return h, payload, h.Check(payload)
}

// One bit that is another, wherever it is, is found; so is a frame that lacks
// bytes or has some twice, as soon as its header has come.
func TestDamageIsFound(t *testing.T) {
	b := append(Begin(nil), "a payload"...)
	End(b, 0, 7, 5)
	h, p, err := open(b)
	if err != nil || string(p) != "a payload" || h.Number != 7 || h.Got != 5 {
		t.Fatalf("%+v %q %v", h, p, err)
	}
	for i := range 8 * len(b) {
		damaged := bytes.Clone(b)
		damaged[i/8] ^= 1 << (i % 8)
		if _, _, err := open(damaged); !errors.Is(err, mperr.ErrCorrupt) {
			t.Fatalf("bit %d of another value: %v", i, err)
		}
	}
	for i := range HeaderSize {
		twice := append(bytes.Clone(b[:i+1]), b[i:]...)
		less := append(bytes.Clone(b[:i]), b[i+1:]...)
		for _, damaged := range [][]byte{twice, less} {
			if _, err := ParseHead(damaged); err == nil && !bytes.Equal(damaged[:HeaderSize], b[:HeaderSize]) {
				t.Errorf("byte %d twice, or not at all: no error", i)
			}
		}
	}
}

// The same of a Hello: it decides what is sent again.
func TestDamageOfHelloIsFound(t *testing.T) {
	for _, b := range [][]byte{AppendClientHello(nil, clientHello), AppendServerHello(nil, serverHello)} {
		for i := range 8 * len(b) {
			damaged := bytes.Clone(b)
			damaged[i/8] ^= 1 << (i % 8)
			var f Frame
			if err := Parse(damaged, &f); err == nil && f.Kind == Hello {
				t.Fatalf("bit %d of another value: no error", i)
			}
		}
	}
}

func TestNods(t *testing.T) {
	h, p, err := open(AppendNod(nil, 3, 1<<32+2))
	if err != nil || len(p) != 0 || h.Size != 0 || h.Number != 3 || h.Got != 2 {
		t.Errorf("%+v %q %v", h, p, err)
	}
}

func TestExtend(t *testing.T) {
	for _, c := range []struct{ near, want uint64 }{
		{0, 0},
		{5, 3},
		{math.MaxUint32, math.MaxUint32 + 1},
		{math.MaxUint32 + 1, math.MaxUint32},
		{7 << 32, 7<<32 + 1<<31 - 1},
	} {
		if got := Extend(c.near, uint32(c.want)); got != c.want {
			t.Errorf("%d near %d: %d", c.want, c.near, got)
		}
	}
}

func TestVersionOf(t *testing.T) {
	for want, b := range map[uint64][]byte{
		Version: AppendClientHello(nil, clientHello),
		1:       unhex("83 00 01 a2 63706964 19012c 646e616d65 62c3a9"),
		0:       AppendBye(nil, "x"),
	} {
		if got := VersionOf(b); got != want {
			t.Errorf("% x is of version %d, not %d", b, got, want)
		}
	}
}
