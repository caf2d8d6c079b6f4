package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// body is a pickle of protocol 4.
func body(s string) []byte { return []byte("\x80\x04" + s) }

func TestRefused(t *testing.T) {
	nest := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	for name, c := range map[string]struct {
		pickle []byte
		want   error
		text   string
	}{
		"empty":             {nil, mperr.ErrCorrupt, "protocol 0"},
		"protocol 0":        {[]byte("I1\n."), mperr.ErrCorrupt, "protocol 0 or 1"},
		"protocol 6":        {[]byte("\x80\x06N."), errors.ErrUnsupported, "protocol 6"},
		"no stop":           {body("N"), mperr.ErrCorrupt, "ends too early"},
		"empty stack":       {body("."), mperr.ErrCorrupt, "0 values"},
		"two values":        {body("NN."), mperr.ErrCorrupt, "2 values"},
		"open mark":         {body("(N."), mperr.ErrCorrupt, ""},
		"trailing":          {body("N.N"), mperr.ErrCorrupt, "1 bytes behind"},
		"persistent id":     {body("NQ."), errors.ErrUnsupported, "persistent id"},
		"extension":         {body("\x82\x01."), errors.ErrUnsupported, "extension code"},
		"buffer":            {body("\x97."), errors.ErrUnsupported, "out-of-band"},
		"instance":          {body("(cos\nsystem\no."), errors.ErrUnsupported, ""},
		"unknown":           {body("\xff."), mperr.ErrCorrupt, "unknown opcode 0xff"},
		"pop under mark":    {body("N(0(\x85."), mperr.ErrCorrupt, "stack is empty"},
		"no mark":           {body("t."), mperr.ErrCorrupt, "no MARK"},
		"append to int":     {body("K\x01Na."), mperr.ErrCorrupt, "appended to a int"},
		"append to tuple":   {body(")Na."), mperr.ErrCorrupt, "appended to a tuple"},
		"set in list":       {body("]NNs."), mperr.ErrCorrupt, "set in a list"},
		"add to list":       {body("](N\x90."), mperr.ErrCorrupt, "added to a list"},
		"odd items":         {body("}(NNNu."), mperr.ErrCorrupt, "without a value"},
		"unhashable":        {body("}]Ns."), mperr.ErrType, "unhashable type: 'list'"},
		"nothing put":       {body("h\x05."), mperr.ErrCorrupt, "number 5"},
		"far get":           {body("j\xff\xff\xff\xff."), mperr.ErrCorrupt, "number"},
		"call of a list":    {body("])R."), mperr.ErrCorrupt, "a list is called"},
		"args of no tuple":  {body("cos\nsystem\n]R."), mperr.ErrCorrupt, "not a tuple"},
		"build of a list":   {body("]Nb."), mperr.ErrCorrupt, "state is set of a list"},
		"two states":        {body("cx\ny\n)RNbNb."), errors.ErrUnsupported, "twice"},
		"state setter":      {body("cx\ny\n)R0N."), errors.ErrUnsupported, "set by calling"},
		"setter alike":      {body("cx\ny\n)R\x940cx\ny\n)R\x940h\x01)R\x940h\x00)R0h\x02."), errors.ErrUnsupported, "set by calling"},
		"name of bytes":     {body("C\x01xC\x01y\x93."), mperr.ErrCorrupt, "not text"},
		"bad text":          {body("\x8c\x01\xff."), mperr.ErrCorrupt, "not UTF-8"},
		"old bytes":         {body("U\x01\xff."), mperr.ErrCorrupt, "Python 2"},
		"long4 size":        {body("\x8b\xff\xff\xff\x7f\x00."), mperr.ErrCorrupt, "too early"},
		"long4 negative":    {body("\x8b\xff\xff\xff\xff\x00."), mperr.ErrCorrupt, "too early"},
		"bytes8 size":       {body("\x8e\xff\xff\xff\xff\xff\xff\xff\xff."), mperr.ErrCorrupt, "too early"},
		"frame size":        {body("\x95\xff\xff\xff\xff\xff\xff\xff\xff."), mperr.ErrCorrupt, "too early"},
		"deep tuples":       {body(")" + strings.Repeat("\x85", 1001) + "."), mperr.ErrTooLarge, "more than 1000 deep"},
		"deep lists":        {body(nest("]", "a", 1001)[:2001] + "."), mperr.ErrTooLarge, "more than 1000 deep"},
		"deep by memo":      {deepByMemo(1001), mperr.ErrTooLarge, "more than 1000 deep"},
		"deep key":          {body("}" + ")" + strings.Repeat("\x85", 2000) + "Ns."), nil, ""},
		"a thousand keys":   {manyKeys(), mperr.ErrTooLarge, "too much work"},
		"copies of a list":  {copies("builtins", "list", "]("+strings.Repeat("N", 5000)+"e"), mperr.ErrTooLarge, "too much work"},
		"copies of a set":   {copies("builtins", "set", "]("+strings.Repeat("N", 5000)+"e"), mperr.ErrTooLarge, "too much work"},
		"latin1 repeatedly": {latin1Copies(), mperr.ErrTooLarge, "too much work"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := Decode(c.pickle, Options{})
			if err == nil {
				t.Fatalf("decoded: %s", pyvalue.ReprWithin(v, 100))
			}
			if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want %v with %q", err, c.want, c.text)
			}
		})
	}
}

// deepByMemo is a chain of lists, each put into the one before after that was
// remembered, so that the stack never is deep.
func deepByMemo(n int) []byte {
	var b bytes.Buffer
	b.Write(body("]\x94"))
	for i := range n {
		b.WriteString("]\x940j") // a new list, remembered and dropped
		_ = binary.Write(&b, binary.LittleEndian, uint32(i))
		b.WriteString("j")
		_ = binary.Write(&b, binary.LittleEndian, uint32(i+1))
		b.WriteString("a0") // put into the one before
	}
	b.WriteString(".")
	return b.Bytes()
}

// manyKeys uses one long text as a key again and again.
func manyKeys() []byte {
	s := strings.Repeat("k", 200_000)
	b := append(body("X"), binary.LittleEndian.AppendUint32(nil, uint32(len(s)))...)
	b = append(b, s+"\x940"...)
	return append(b, strings.Repeat("}h\x00Ns0", 30_000)+"N."...)
}

// copies calls a type again and again with the same container.
func copies(module, name, container string) []byte {
	return body(container + "\x940c" + module + "\n" + name + "\n\x940(" + strings.Repeat("h\x01h\x00\x85R", 5000) + "t.")
}

func latin1Copies() []byte {
	s := strings.Repeat("k", 100_000)
	b := append(body("X"), binary.LittleEndian.AppendUint32(nil, uint32(len(s)))...)
	return append(b, s+"\x940c_codecs\nencode\n\x940\x8c\x06latin1\x940("+strings.Repeat("h\x01h\x00h\x02\x86R", 3000)+"t."...)
}

// bombs are small pickles of values that are huge if each shared part is
// written out.
func bombs() map[string][]byte {
	double := func(first, step string, n int) []byte { return body(first + strings.Repeat(step, n) + ".") }
	lists := "]"
	for i := range 90 {
		h := string([]byte{'h', byte(i)})
		lists += "\x940](" + h + h + "e"
	}
	return map[string][]byte{
		"tuples":      double(")", "2\x86", 300),
		"frozen sets": double("(\x91", "2\x86\x85", 150),
		"lists":       body(lists + "."),
		"objects":     body("c__main__\nf\n\x94)" + strings.Repeat("2\x86", 200) + "R."),
		"self":        body("]\x94(" + strings.Repeat("h\x00", 500) + "e."),
		"dicts":       body("}\x94(K\x01h\x00K\x02h\x00K\x03h\x00u."),
	}
}

// What a bomb is used for afterwards ends, and soon.
func TestBombs(t *testing.T) {
	for name, b := range bombs() {
		t.Run(name, func(t *testing.T) {
			one, err := Decode(b, Options{MaxDepth: pyvalue.MaxDepth})
			if err != nil {
				t.Fatal(err)
			}
			two := trip(t, one, EncodeOptions{})
			if !pyvalue.Equal(one, two) {
				t.Error("is not equal to what came back")
			}
			if c, err := pyvalue.Compare(one, two); err == nil && c != 0 {
				t.Error("has an order")
			}
			out, err := Encode(nil, one, EncodeOptions{Protocol: 2})
			if err != nil || len(out) > 6*len(b)+100 {
				t.Errorf("%d bytes became %d: %v", len(b), len(out), err)
			}
			if n := pyvalue.Size(one); n > 200*len(b) {
				t.Errorf("%d bytes have size %d", len(b), n)
			}
			if s := pyvalue.ReprWithin(one, 1000); len(s) > 1100 {
				t.Errorf("repr of %d bytes", len(s))
			}
			if k, err := pyvalue.KeyWithin(one, 1000); err == nil && len(k) > 1100 {
				t.Errorf("key of %d bytes", len(k))
			}
			pyvalue.Refs(one, func(pyvalue.Ref) bool { return true })
		})
	}
}

// dense are pickles whose values are larger than they are, of about n bytes.
func dense(n int) map[string][]byte {
	return map[string][]byte{
		"lists":     body("(" + strings.Repeat("]", n) + "l."),
		"dicts":     body("(" + strings.Repeat("}", n) + "l."),
		"marks":     body(strings.Repeat("(", n) + "."),
		"memo":      body("N" + strings.Repeat("\x94", n) + "."),
		"far puts":  farPuts(n / 5),
		"dup":       body("(N" + strings.Repeat("2", n) + "l."),
		"tuples":    body("(" + strings.Repeat("N\x85", n/2) + "l."),
		"small set": body("(" + strings.Repeat("\x8f(K\x01\x90", n/5) + "l."),
		"keys":      body("}(" + strings.Repeat("K\x01N", n/3) + "u."),
		"objects":   body("cx\ny\n\x940(" + strings.Repeat("h\x00)\x81", n/4) + "l."),
		"slices":    body("cbuiltins\nslice\n\x940(" + strings.Repeat("h\x00NNN\x87R", n/7) + "l."),
	}
}

// A pickle costs memory in proportion to its length, whatever is in it.
func TestMemoryIsBounded(t *testing.T) {
	for name, b := range dense(1 << 20) {
		if used, err := cost(b, Options{}); used > 150*uint64(len(b)) {
			t.Errorf("%s: %d bytes took %d bytes of memory (%v)", name, len(b), used, err)
		}
	}
}

// cost is how much memory it takes to decode a pickle.
func cost(b []byte, o Options) (bytes uint64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	v, err := Decode(b, o)
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(v)
	return after.TotalAlloc - before.TotalAlloc, err
}

func TestMaxBytes(t *testing.T) {
	const most = 1 << 20
	for name, b := range dense(4 << 20) {
		used, err := cost(b, Options{MaxBytes: most})
		if !errors.Is(err, mperr.ErrLimit) || used > 5*most { // what grows is copied several times
			t.Errorf("%s: %d bytes of memory where %d are allowed: %v", name, used, most, err)
		}
	}
	for name, b := range dense(1 << 10) {
		if _, err := Decode(b, Options{MaxBytes: most}); errors.Is(err, mperr.ErrLimit) {
			t.Errorf("%s: a kilobyte: %v", name, err)
		}
	}
}

func farPuts(n int) []byte {
	b := body("N")
	for i := range n {
		b = binary.LittleEndian.AppendUint32(append(b, 'r'), uint32(i)*1000)
	}
	return append(b, '.')
}

func TestMaxItems(t *testing.T) {
	if _, err := Decode(body("(NNNt."), Options{MaxItems: 3}); !errors.Is(err, mperr.ErrTooLarge) {
		t.Errorf("four values where three are allowed: %v", err)
	}
	if _, err := Decode(body("(NNNt."), Options{MaxItems: 4}); err != nil {
		t.Error(err)
	}
}
