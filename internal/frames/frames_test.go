package frames

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"multiproc/internal/mperr"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

var (
	identity    = [IdentitySize]byte{1, 2, 3}
	clientHello = ClientHello{300, "é", Host{9}, SessionID{8}, 7}
	serverHello = ServerHello{SessionID{8}, identity, 1 << 20, 5, 6, true}
)

// The bytes are what two versions of this program have to agree about.
func TestBytes(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{
			"client hello", AppendClientHello(nil, clientHello),
			"83 00 02 a6 63706964 19012c 646e616d65 62c3a9 64686f7374 5818" + "09" + strings.Repeat("00", 23) +
				" 6773657373696f6e 50" + "08" + strings.Repeat("00", 15) + " 63676f74 07 6373756d 1a e8b1fbb8",
		},
		{
			"server hello", AppendServerHello(nil, serverHello),
			"83 00 02 a7 6773657373696f6e 50" + "08" + strings.Repeat("00", 15) + " 6573746f7265 50" + "010203" + strings.Repeat("00", 13) +
				" 656672616d65 1a00100000 656772616365 05 63676f74 06 66646972656374 f5 6373756d 1a 5242d2d4",
		},
		{"call", append(AppendCall(nil, 24, 1<<40, "mp.set", 1500, 2), 1, 2), "86 01 1818 1b0000010000000000 666d702e736574 1905dc 82 01 02"},
		{"call for ever", AppendCall(nil, 1, 0, "", NoTimeout, 0), "86 01 01 00 60 f6 80"},
		{"cancel", AppendCancel(nil, 5), "83 02 05 00"},
		{"ack", AppendAck(nil, 5, false), "83 03 05 00"},
		{"ack, to confirm", AppendAck(nil, 5, true), "83 03 05 01"},
		{"return", AppendTaken(AppendNull(AppendReturn(nil, 5)), true), "84 04 05 f6 f5"},
		{"error", AppendNames(AppendUint(AppendError(nil, 5, "a", "b", 1), 7), []string{"n"}), "86 05 05 6161 6162 81 07 81 616e"},
		{"event", AppendUint(AppendEvent(nil, 5), 7), "83 06 05 07"},
		{"bye", AppendBye(nil, "x"), "83 07 00 6178"},
	} {
		if !bytes.Equal(c.got, unhex(c.want)) {
			t.Errorf("%s: % x, want %s", c.name, c.got, c.want)
		}
	}
	b := append(Begin([]byte{9}), 1, 2, 3)
	if End(b, 1, 1<<32+5, 4); !bytes.Equal(b, unhex("09 00000013 00000005 00000004 f130f21e 8eb81c5d 010203")) {
		t.Errorf("% x", b)
	}
}

func parse(t *testing.T, b []byte) Frame {
	t.Helper()
	var f Frame
	if err := Parse(b, &f); err != nil {
		t.Fatalf("% x: %v", b, err)
	}
	return f
}

func TestThereAndBack(t *testing.T) {
	f := parse(t, append(AppendCall(nil, math.MaxUint64, 3, "get", 0, 2), 0x61, 'a', 0x81, 7))
	if f.Kind != Call || f.Seq != math.MaxUint64 || f.Object != 3 || string(f.Method) != "get" || f.Timeout != 0 || f.Args.Len() != 2 {
		t.Errorf("%+v", f)
	}
	if a, _ := Text(f.Args.Next()); string(a) != "a" {
		t.Errorf("first argument %q", a)
	}
	if b := f.Args.Next(); !bytes.Equal(b, []byte{0x81, 7}) || f.Args.Len() != 0 || f.Args.Next() != nil {
		t.Errorf("second argument % x", b)
	}
	if f := parse(t, AppendCall(nil, 1, 3, "get", NoTimeout, 0)); f.Timeout >= 0 {
		t.Errorf("%+v", f)
	}
	if f := parse(t, AppendTaken(AppendText(AppendReturn(nil, 8), "v"), true)); f.Kind != Return || f.Seq != 8 || !f.Taken || string(f.Value) != "\x61v" {
		t.Errorf("%+v", f)
	}
	f = parse(t, AppendNames(AppendNull(AppendError(nil, 8, "m", "c", 1)), []string{"x", "y"}))
	if string(f.Module) != "m" || string(f.Class) != "c" || f.Args.Len() != 1 || !IsNull(f.Args.Next()) || f.Names.Len() != 2 {
		t.Errorf("%+v", f)
	}
	if f := parse(t, AppendBye(nil, "over")); string(f.Reason) != "over" || f.Seq != 0 {
		t.Errorf("%+v", f)
	}
	f = parse(t, AppendClientHello(nil, clientHello))
	if h := f.ClientHello(); h != clientHello {
		t.Errorf("%+v", h)
	}
	if _, ok := f.ServerHello(); ok {
		t.Error("a client's Hello is a server's")
	}
	f = parse(t, AppendServerHello(nil, serverHello))
	if h, ok := f.ServerHello(); !ok || h != serverHello {
		t.Errorf("%+v %v", h, ok)
	}
}

func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":           "",
		"pickle":            "80 04 4e 2e",
		"map":               "a3 00 01 a0",
		"unknown kind":      "83 08 00 00",
		"too few parts":     "82 02 05",
		"too many parts":    "84 02 05 00 00",
		"no seq":            "83 02 61 00",
		"behind cancel":     "83 02 05 00 00",
		"cancel of one":     "83 02 05 01",
		"ack of two":        "83 03 05 02",
		"version 1":         "83 00 01 a0",
		"version 3":         "83 00 03 a0",
		"hello, no check":   "83 00 02 a0",
		"hello, cut":        "83 00 02 a1 61",
		"hello, behind":     "83 00 02 a0 00",
		"hello, huge":       "83 00 02 bb ffffffffffffffff",
		"hello, odd huge":   "83 00 02 bb 8000000000000000",
		"call, cut":         "86 01 05 07 63 6765",
		"call, no args":     "86 01 05 07 60 f6 05",
		"call, timeLimit":   "86 01 05 07 60 20 80",
		"call, not UTF-8":   "86 01 05 07 61 ff f6 80",
		"call, many args":   "86 01 05 07 60 f6 9b ffffffffffffffff",
		"return, no value":  "84 04 05 f5",
		"return, no bool":   "84 04 05 00 00",
		"event, no value":   "83 06 05",
		"error, cut":        "86 05 05 60 60 81",
		"error, no array":   "86 05 05 60 60 00 80",
		"error, behind":     "86 05 05 60 60 80 80 00",
		"error, indefinite": "86 05 05 60 60 9f ff 80",
		"bye, no text":      "83 07 00 00",
	} {
		var f Frame
		if err := Parse(unhex(text), &f); !errors.Is(err, mperr.ErrCorrupt) {
			t.Errorf("%s: %v, %+v", name, err, f)
		}
	}
}

func TestNext(t *testing.T) {
	deep := bytes.Repeat([]byte{0x81}, 1<<20)
	for name, c := range map[string]struct {
		src  []byte
		size int // -1: refused
	}{
		"deep":           {append(deep, 0, 9), len(deep) + 1},
		"deep and cut":   {deep, -1},
		"map":            {unhex("a2 00 01 02 8101 ff"), 6},
		"tags":           {unhex("d9 0102 c6 41 00 00"), 6},
		"float":          {unhex("fb 0000000000000000 01"), 9},
		"empty":          {nil, -1},
		"long string":    {unhex("5b 7fffffffffffffff"), -1},
		"long array":     {unhex("9b ffffffffffffffff 00"), -1},
		"long map":       {unhex("bb ffffffffffffffff 00"), -1},
		"indefinite":     {unhex("5f 41 00 ff"), -1},
		"arrays explode": {unhex("83 83 83 00 00 00"), -1},
	} {
		item, rest, err := Next(c.src)
		if c.size < 0 {
			if !errors.Is(err, mperr.ErrCorrupt) {
				t.Errorf("%s: % x, %v", name, item, err)
			}
			continue
		}
		if err != nil || len(item) != c.size || len(rest) != len(c.src)-c.size {
			t.Errorf("%s: %d bytes and %d, %v", name, len(item), len(rest), err)
		}
	}
}

func TestItems(t *testing.T) {
	for _, n := range []int64{0, 23, 24, 255, 256, 65535, 65536, 1 << 32, math.MaxInt64, -1, -24, -25, math.MinInt64} {
		b := AppendInt(nil, n)
		if got, ok := Int(b); got != n || !ok {
			t.Errorf("%d came back as %d, %v", n, got, ok)
		}
		if got, ok := Uint(b); ok != (n >= 0) || ok && got != uint64(n) {
			t.Errorf("%d came back as %d, %v", n, got, ok)
		}
	}
	if _, ok := Int(AppendUint(nil, 1<<63)); ok {
		t.Error("2^63 is an int64")
	}
	for _, want := range []bool{true, false} {
		if got, ok := Bool(AppendBool(nil, want)); got != want || !ok {
			t.Errorf("%v came back as %v, %v", want, got, ok)
		}
	}
	if b, ok := Bytes(AppendBytes(nil, []byte("x"))); string(b) != "x" || !ok {
		t.Errorf("%q %v", b, ok)
	}
	if _, ok := Text(AppendBytes(nil, []byte("x"))); ok {
		t.Error("bytes are text")
	}
	if _, ok := Bool(nil); ok || IsNull(nil) {
		t.Error("nothing is something")
	}
}

// Nothing is allocated where a call and its answer are made and read.
func TestAllocations(t *testing.T) {
	buf := make([]byte, 0, 256)
	var f Frame
	if n := testing.AllocsPerRun(100, func() {
		b := AppendUint(AppendCall(buf, 77, 3, "mp.get", 100, 1), 5)
		if Parse(b, &f) != nil || f.Args.Next() == nil {
			t.Error("lost")
		}
		if Parse(AppendTaken(AppendNull(AppendReturn(buf, 77)), false), &f) != nil {
			t.Error("lost")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(AppendClientHello(nil, clientHello))
	f.Add(AppendServerHello(nil, serverHello))
	f.Add(append(AppendCall(nil, 5, 3, "get", 1, 2), 0x61, 'a', 0x81, 7))
	f.Add(AppendCancel(nil, 5))
	f.Add(AppendTaken(AppendNull(AppendReturn(nil, 5)), true))
	f.Add(AppendNames(AppendNull(AppendError(nil, 8, "m", "c", 1)), []string{"x"}))
	f.Add(AppendUint(AppendEvent(nil, 5), 7))
	f.Add(AppendBye(nil, "x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var fr Frame
		if err := Parse(b, &fr); err != nil {
			if !errors.Is(err, mperr.ErrCorrupt) {
				t.Errorf("%v", err)
			}
			return
		}
		for _, it := range []Items{fr.Args, fr.Names, fr.Hello} {
			for n := it.Len(); it.Len() > 0; n-- {
				if it.Next() == nil && it.Len() != 0 || n < 0 {
					t.Fatal("items do not end")
				}
			}
		}
		_ = fr.ClientHello()
		_, _ = fr.ServerHello()
		if fr.Kind == Ack && !bytes.Equal(AppendAck(nil, fr.Seq, fr.Confirm), b) && len(b) == len(AppendAck(nil, fr.Seq, false)) {
			t.Errorf("% x", b)
		}
	})
}
