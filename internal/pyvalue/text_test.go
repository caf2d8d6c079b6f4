package pyvalue

import (
	"strings"
	"testing"
)

// A text of which each byte is written as four ends at the limit, and what it takes to
// write it is not much more than that.
func TestReprWithinTakesNoMore(t *testing.T) {
	const limit = 1 << 20
	for _, v := range []Value{make([]byte, limit), string(make([]byte, limit)), strings.Repeat("é\x00", limit/3)} {
		text := ""
		got := testing.AllocsPerRun(1, func() { text = ReprWithin(v, limit) })
		if len(text) > limit+len("...") || !strings.HasSuffix(text, "...") {
			t.Errorf("%d bytes, at the end %q", len(text), text[len(text)-5:])
		}
		if got > 4 {
			t.Errorf("%v allocations", got)
		}
	}
}
