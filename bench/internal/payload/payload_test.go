package payload

import "testing"

func TestCheck(t *testing.T) {
	b := make([]byte, 1000)
	Stamp(b, 258)
	if err := Check(b, 258, len(b)); err != nil {
		t.Error(err)
	}
	if Check(b, 259, len(b)) == nil {
		t.Error("another message was accepted")
	}
	if Check(b[:999], 258, len(b)) == nil {
		t.Error("a short message was accepted")
	}
	b[960]++
	if Check(b, 258, len(b)) == nil {
		t.Error("a torn message was accepted")
	}
}
