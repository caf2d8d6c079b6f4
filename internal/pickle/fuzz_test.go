package pickle

import (
	"math"
	"testing"

	"multiproc/internal/pyvalue"
)

// FuzzDecode: whatever the bytes are, nothing panics, hangs or grows without
// bound, and what decodes is equal to what it becomes on the way to Python and
// back.
func FuzzDecode(f *testing.F) {
	for _, g := range golden(f) {
		f.Add(g.pickle)
	}
	for _, b := range bombs() {
		f.Add(b)
	}
	f.Add(body("cx\ny\n)R]\x94(K\x01h\x00e}(U\x01aNusNb."))
	f.Add(body("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x80G\x7f\xf8\x00\x00\x00\x00\x00\x00\x86."))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Decode(b, Options{})
		if err != nil {
			return
		}
		pyvalue.ReprWithin(v, 1000)
		pyvalue.Refs(v, func(pyvalue.Ref) bool { t.Error("a reference from nowhere"); return false })
		if n := pyvalue.Size(v); n > 300*len(b)+1000 {
			t.Errorf("size %d", n)
		}
		if _, err := pyvalue.KeyWithin(v, 10_000); err == nil && !pyvalue.Equal(v, v) && !hasNaN(v) {
			t.Error("is not equal to itself")
		}
		for protocol := lowestProtocol; protocol <= highestProtocol; protocol++ {
			out, err := Encode(nil, v, EncodeOptions{Protocol: protocol, MaxBytes: 1 << 20})
			if err != nil {
				continue
			}
			again, err := Decode(out, Options{MaxDepth: pyvalue.MaxDepth})
			if err != nil {
				t.Fatalf("protocol %d: %x: %v", protocol, out, err)
			}
			if !pyvalue.Equal(v, again) && !hasNaN(v) {
				t.Fatalf("protocol %d: %s became %s", protocol, pyvalue.ReprWithin(v, 1000), pyvalue.ReprWithin(again, 1000))
			}
			_, _ = pyvalue.Compare(v, again)
		}
	})
}

// hasNaN reports whether a value is not equal to its copy for that reason.
func hasNaN(v pyvalue.Value) (found bool) {
	pyvalue.Walk(v, func(v pyvalue.Value) bool {
		switch v := v.(type) {
		case float64:
			found = found || math.IsNaN(v)
		case complex128:
			found = found || math.IsNaN(real(v)) || math.IsNaN(imag(v))
		}
		return !found
	})
	return found
}
