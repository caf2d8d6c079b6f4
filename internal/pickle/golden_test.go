package pickle

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"multiproc/internal/pyvalue"
)

// frame is a message between CPython's manager and its client: "S" is what the
// server sent, "C" the client.
type frame struct {
	version, side string
	pickle        []byte
}

// golden are the recorded messages of CPython 3.11 and 3.13, each once.
func golden(t testing.TB) (frames []frame) {
	t.Helper()
	text, err := os.ReadFile("testdata/frames.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		b, err := hex.DecodeString(fields[2])
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame{fields[0], fields[1], b})
	}
	if len(frames) < 300 {
		t.Fatalf("only %d frames are left in testdata", len(frames))
	}
	return frames
}

// Every recorded message decodes, and is the same after another turn in every
// protocol.
func TestGolden(t *testing.T) {
	for _, f := range golden(t) {
		v, err := Decode(f.pickle, Options{})
		if err != nil {
			t.Errorf("%s %s %x: %v", f.version, f.side, f.pickle, err)
			continue
		}
		if n := len(v.(pyvalue.Tuple)); n != map[string]int{"C": 4, "S": 2}[f.side] {
			t.Errorf("%s: a message of %d parts: %s", f.side, n, pyvalue.Repr(v))
		}
		for protocol := lowestProtocol; protocol <= highestProtocol; protocol++ {
			again := trip(t, v, EncodeOptions{Protocol: protocol})
			if !pyvalue.Equal(v, again) {
				t.Errorf("protocol %d: %s became %s", protocol, pyvalue.Repr(v), pyvalue.Repr(again))
			}
		}
	}
}

// What we write is what CPython writes, but for frames and what it remembers.
func TestGoldenOpcodes(t *testing.T) {
	bare := func(b []byte) []byte {
		b = bytes.ReplaceAll(b, []byte{opMemoize}, nil)
		return append(b[:2:2], b[2+9:]...)
	}
	same, frames := 0, golden(t)
	for _, f := range frames {
		v, err := Decode(f.pickle, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ours, err := Encode(nil, v, EncodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(bare(f.pickle), bytes.ReplaceAll(ours, []byte{opMemoize}, nil)) {
			same++
		}
	}
	// The others use numbers of the memo, or have a byte 0x94 elsewhere.
	if same < len(frames)*9/10 {
		t.Errorf("only %d of %d pickles are written as CPython writes them", same, len(frames))
	}
}

// trip encodes and decodes.
func trip(t testing.TB, v pyvalue.Value, o EncodeOptions) pyvalue.Value {
	t.Helper()
	b, err := Encode(nil, v, o)
	if err != nil {
		t.Fatalf("protocol %d: %s: %v", o.Protocol, pyvalue.ReprWithin(v, 200), err)
	}
	again, err := Decode(b, Options{MaxDepth: pyvalue.MaxDepth})
	if err != nil {
		t.Fatalf("protocol %d: %s as %x: %v", o.Protocol, pyvalue.ReprWithin(v, 200), b[:min(len(b), 200)], err)
	}
	return again
}
