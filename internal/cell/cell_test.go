package cell

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// What a cell is made of comes back byte for byte, whichever way it is kept.
func TestCell(t *testing.T) {
	for item, word := range map[string]bool{
		"":                              false,
		"00":                            true, // integers
		"17":                            true,
		"1818":                          true,
		"1817":                          true, // 23, not in the shortest way
		"1b1fffffffffffffff":            true,
		"1b2000000000000000":            false,
		"3b1fffffffffffffff":            true,
		"3b2000000000000000":            false,
		"1900ff":                        true,
		"f6":                            true, // null
		"66616263646566":                true, // a text of 6 bytes
		"6761626364656667":              false,
		"fb3ff0000000000000":            true, // floats
		"fb3ff0000000000001":            false,
		"5818" + "0102030405060708090a": false,
	} {
		b, err := hex.DecodeString(item)
		if err != nil {
			t.Fatal(err)
		}
		c := Of(b)
		if got := c.Append(nil); !bytes.Equal(got, b) {
			t.Errorf("%s became %x", item, got)
		}
		if IsWord(c.Word) != word {
			t.Errorf("%s: the word is %#x", item, c.Word)
		}
	}
	for _, i := range []int64{0, -1, 1<<61 - 1, -1 << 61} {
		c, ok := OfInt(i)
		if is, int := c.Int(); !ok || !int || is != i || Of(c.Append(nil)).Word != c.Word {
			t.Errorf("%d: %+v, %v", i, c, ok)
		}
	}
	for _, i := range []int64{1 << 61, -1<<61 - 1} {
		if _, ok := OfInt(i); ok {
			t.Errorf("%d is a word", i)
		}
	}
}
