package pyconn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"multiproc/internal/mperr"
)

// A frame above the limit is read past, whatever its length and however it
// comes, and the next one arrives.
func TestSkip(t *testing.T) {
	for _, size := range []int{1001, readBuffer - HeaderSize, readBuffer, readBuffer + 1, keep, 3*keep + 17} {
		large := pattern(size)
		large[0] = 0x80
		c := New(&script{in: bytes.NewReader(framed(large, []byte("next"), large))})
		for range 2 { // until it is skipped there is nothing else to read
			_, err := c.ReadFrame(1000)
			var e *TooLargeError
			if !errors.As(err, &e) || e.Size != uint64(size) || e.Limit != 1000 || !errors.Is(err, mperr.ErrTooLarge) {
				t.Fatalf("%d bytes: ReadFrame: %v", size, err)
			}
		}
		var seen []byte
		if err := c.Skip(func(part []byte) { seen = append(seen, part...) }); err != nil || !bytes.Equal(seen, large) {
			t.Fatalf("%d bytes: Skip showed %d, %v", size, len(seen), err)
		}
		if p, err := c.ReadFrame(1000); string(p) != "next" || err != nil {
			t.Fatalf("%d bytes: the next frame: %q, %v", size, p, err)
		}
		if cap(c.big) > keep {
			t.Errorf("%d bytes: %d are kept", size, cap(c.big))
		}
	}
}

func nothing([]byte) {}

func TestSkipEnds(t *testing.T) {
	half := framed(pattern(5000))[:3000]
	c := New(&script{in: bytes.NewReader(half)})
	_, _ = c.ReadFrame(1000)
	if err := c.Skip(nothing); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Skip of half a frame: %v", err)
	}
	beyond := binary.BigEndian.AppendUint64([]byte{0xff, 0xff, 0xff, 0xff}, MaxSkip+1)
	c = New(&script{in: bytes.NewReader(beyond)})
	_, _ = c.ReadFrame(1000)
	if err := c.Skip(nothing); !errors.Is(err, mperr.ErrTooLarge) {
		t.Errorf("Skip of more than MaxSkip: %v", err)
	}
	if err := New(&script{in: bytes.NewReader(nil)}).Skip(nothing); err != nil {
		t.Errorf("Skip of nothing: %v", err)
	}
}

// Bytes that come one by one, and deadlines between them, do not matter.
func TestSkipGoesOnAfterDeadline(t *testing.T) {
	l := &lazy{script: script{in: iotest.OneByteReader(bytes.NewReader(framed(pattern(9000), []byte("next"))))}}
	c := New(l)
	for {
		if _, err := c.ReadFrame(1000); errors.Is(err, mperr.ErrTooLarge) {
			break
		}
	}
	for {
		if err := c.Skip(nothing); err == nil {
			break
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	for {
		if p, err := c.ReadFrame(1000); err == nil {
			if string(p) != "next" {
				t.Errorf("the next frame is %q", p)
			}
			break
		}
	}
}
