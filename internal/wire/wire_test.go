package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"multiproc/internal/mperr"
)

var testID = [16]byte{0: 0xa0, 15: 0xaf}

// golden pins the bytes of every message; spaces separate fields. If one
// changes, Version must.
var golden = []struct {
	message Message
	bytes   string
}{
	{
		&Start{
			Task: "t", Name: "n", Identity: "1.3", ParentPID: 77, ParentName: "p",
			GraceNanos: 1e9, Deadline: 1, MaxProcs: -1, MemoryLimit: math.MaxInt64,
			Spare: true, Programs: 2, Carried: []string{"k"}, Args: []byte{1, 2},
		},
		"0301 01000000 74 01000000 6e 03000000 312e33 4d000000 01000000 70" +
			" 00ca9a3b00000000 0100000000000000 ffffffff ffffffffffffff7f 01 00 00 02000000 01000000 01000000 6b 02000000 0102",
	},
	{&Cancel{Cause: "why", CauseNames: []string{"a", ""}}, "0302 03000000 776879 02000000 01000000 61 00000000"},
	{&Result{Parcel: testID, Payload: []byte{0xff}}, "0303 a00000000000000000000000000000af 01000000 ff"},
	{&Failure{Message: "m", Stack: "s", Names: []string{"io.EOF"}, Panic: true}, "0304 01000000 6d 01000000 73 01000000 06000000 696f2e454f46 01"},
	{&Adopt{Request: 9, Slot: 1, Gen: 2}, "0305 09000000 01000000 02000000"},
	{
		&Offer{Request: 9, Parcel: testID, To: Carrier{testID, 1}, Handles: []Handle{{testID, 1, 2, 3}}},
		"0306 09000000 a00000000000000000000000000000af a00000000000000000000000000000af 01 01000000" +
			" a00000000000000000000000000000af 01 02 03",
	},
	{&Fetch{Request: 9, Parcel: testID}, "0307 09000000 a00000000000000000000000000000af"},
	{
		&Fetched{Request: 9, Parcel: testID, Found: true, Error: "e", Errno: 24, Handles: []Handle{{testID, 1, 2, 3}}},
		"0308 09000000 a00000000000000000000000000000af 01 01000000 65 18000000 01000000 a00000000000000000000000000000af 01 02 03",
	},
	{&Ack{Request: 9, Error: "e", Errno: 24}, "0309 09000000 01000000 65 18000000"},
	{&Settle{Parcel: testID, What: Taken, Unused: []uint32{7}}, "030a a00000000000000000000000000000af 03 01000000 07000000"},
	{&Hold{Slot: 1, Gen: 2, Carrier: Carrier{testID, 1}, Delta: -1}, "030b 01000000 02000000 a00000000000000000000000000000af 01 ffffffff"},
	{&Reaped{Slot: 1, Gen: 2, Parcel: testID}, "030c 01000000 02000000 a00000000000000000000000000000af"},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGolden(t *testing.T) {
	seen := map[Kind]bool{}
	for _, g := range golden {
		seen[g.message.Kind()] = true
		want := unhex(t, g.bytes)
		if got := Append(nil, g.message); !bytes.Equal(got, want) {
			t.Errorf("%s:\n have %x\n want %x", g.message.Kind(), got, want)
		}
		if got, err := Decode(want); err != nil || !reflect.DeepEqual(got, g.message) {
			t.Errorf("%s: Decode = %+v, %v", g.message.Kind(), got, err)
		}
	}
	for i, k := range kinds {
		if k.make == nil {
			continue
		}
		if !seen[Kind(i)] {
			t.Errorf("%s has no golden bytes", k.name)
		}
		if m := k.make(); m.Kind() != Kind(i) || reflect.TypeOf(m).Elem().Name() != k.name {
			t.Errorf("line %d of the table, %s, makes a %T of kind %d", i, k.name, m, m.Kind())
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	if got := Append([]byte("before"), &Ack{})[:8]; string(got) != "before\x03\x09" {
		t.Errorf("Append = %q", got)
	}
}

func TestZeroValues(t *testing.T) {
	for _, k := range kinds {
		if k.make == nil {
			continue
		}
		if got, err := Decode(Append(nil, k.make())); err != nil || !reflect.DeepEqual(got, k.make()) {
			t.Errorf("%s: %+v, %v", k.name, got, err)
		}
	}
}

// Every message cut anywhere, and every one with a byte too many, is refused.
func TestCut(t *testing.T) {
	for _, g := range golden {
		whole := unhex(t, g.bytes)
		for n := range whole {
			refused(t, whole[:n])
		}
		refused(t, append(whole, 0))
	}
}

func TestMalformed(t *testing.T) {
	for _, b := range []string{
		"", "03", "00 0b", "01 0b", "02 0b", "03 00", "03 0d", "03 ff",
		"0303 00000000000000000000000000000000 ffffffff ff", // a length beyond the end
		"0302 00000000 ffffff3f 00000000",                   // a list of a billion names
		"0302 00000000 02000000 00000000",                   // fewer names than announced
		"0304 00000000 00000000 00000000 02",                // a bool of 2
	} {
		refused(t, unhex(t, b))
	}
}

func refused(t *testing.T, b []byte) {
	t.Helper()
	if m, err := Decode(b); !errors.Is(err, mperr.ErrCorrupt) || m != nil {
		t.Errorf("Decode(%x) = %+v, %v, want ErrCorrupt", b, m, err)
	}
}

func TestKindString(t *testing.T) {
	for k, want := range map[Kind]string{KindStart: "Start", 0: "Kind(0)", 200: "Kind(200)"} {
		if got := k.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// FuzzDecode: what decodes has one encoding, and that is where it came from.
func FuzzDecode(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(f, g.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			if !errors.Is(err, mperr.ErrCorrupt) {
				t.Errorf("error does not wrap ErrCorrupt: %v", err)
			}
			return
		}
		if got := Append(nil, m); !bytes.Equal(got, b) {
			t.Errorf("%x decodes to %+v, which encodes to %x", b, m, got)
		}
	})
}

func BenchmarkStart(b *testing.B) {
	m := &Start{Task: "main.square", Name: "square-1", Identity: "1.3", ParentName: "main", Args: make([]byte, 256)}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], m)
		if _, err := Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
}
