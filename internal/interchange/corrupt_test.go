package interchange_test

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
)

// TestCheck: bytes that are not of the dialect.
func TestCheck(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("81", n) + "00" }
	for _, tt := range []struct{ name, bytes, mention string }{
		{"nothing", "", "longer than the value"},
		{"more", "0000", "1 bytes after the end"},
		{"head cut", "19ff", "longer than the value"},
		{"text cut", "6261", "longer than the value"},
		{"bytes cut", "4261", "longer than the value"},
		{"array cut", "8200", "longer than the value"},
		{"map cut", "a100", "longer than the value"},
		{"huge array", "9bffffffffffffffff", "longer than the value"},
		{"huge map", "bbffffffffffffffff00", "longer than the value"},
		{"huge text", "7bffffffffffffffff", "longer than the value"},
		{"huge bytes", "5b7fffffffffffffff", "longer than the value"},
		{"huge tuple", "c79bffffffffffffffff", "longer than the value"},
		{"long 1", "1817", "shortest form"},
		{"long 2", "1900ff", "shortest form"},
		{"long 3", "1a0000ffff", "shortest form"},
		{"long 4", "1b00000000ffffffff", "shortest form"},
		{"long length", "580161", "shortest form"},
		{"long tag", "d80780", "shortest form"},
		{"indefinite bytes", "5f4100ff", "not definite"},
		{"indefinite array", "9f00ff", "not definite"},
		{"break", "ff", "not definite"},
		{"reserved", "1c", "not definite"},
		{"undefined", "f7", "no value of the dialect"},
		{"simple", "e0", "no value of the dialect"},
		{"simple of two bytes", "f820", "no value of the dialect"},
		{"half", "f93c00", "no value of the dialect"},
		{"single", "fa3f800000", "no value of the dialect"},
		{"float cut", "fb3ff0", "longer than the value"},
		{"bad text", "61ff", "not UTF-8"},
		{"surrogate as text", "63eda080", "not UTF-8"},
		{"unknown tag", "d8641c", "tag 100"},
		{"tag alone", "c7", "a tuple"},
		{"list as key", "a18000", "cannot be a key"},
		{"dict as key", "a1a000", "cannot be a key"},
		{"set as key", "a1d901028000", "cannot be a key"},
		{"bytearray as key", "a1ca4000", "cannot be a key"},
		{"slice as key", "a1cb8300000000", "cannot be a key"},
		{"list in a tuple as key", "a1c7818000", "cannot be a key"},
		{"list in a set", "d901028180", "cannot be a key"},
		{"list in a frozenset", "c98180", "cannot be a key"},
		{"shared list as key", "82d81c80a1d81d0000", "cannot be a key"},
		{"big that is small", "c24801020304050607" + "08", "a large integer"},
		{"big with a zero", "c249000102030405060708", "a large integer"},
		{"big as text", "c249", "a large integer"},
		{"raw text that is UTF-8", "c84161", "a text that is not UTF-8"},
		{"raw text of text", "c86161", "a text that is not UTF-8"},
		{"short ref", "c64700000000000001", "a shared object"},
		{"ref of no UTF-8", "c6490000000000000001ff", "a shared object"},
		{"tuple of bytes", "c740", "a tuple"},
		{"set of map", "d90102a0", "a set"},
		{"slice of 2", "cb820000", "a slice"},
		{"range of 4", "cc8400000000", "a range"},
		{"slice of nothing", "cb", "a slice"},
		{"global of ints", "cd820000", "the name"},
		{"global of one", "cd816161", "the name"},
		{"global cut", "cd826161", "the name"},
		{"complex of ints", "d9a7f8820000", "a complex number"},
		{"complex of one", "d9a7f881fb0000000000000000", "a complex number"},
		{"exception without args", "cf8261616162", "an exception"},
		{"exception with other args", "cf836161616200", "an exception"},
		{"object of 2", "ce820000", "a Python object"},
		{"object of 8", "ce88000000", "a Python object"},
		{"object without flags", "ce83000020", "a Python object"},
		{"object with unknown flags", "ce8300001820", "a Python object"},
		{"object without its part", "ce83000004", "a Python object"},
		{"object with a part too many", "ce840000" + "0100", "a Python object"},
		{"object with items that are none", "ce840000" + "0800", "a Python object"},
		{"object with entries that are none", "ce840000" + "1080", "a Python object"},
		{"time as bytes", "c0416", "a time"},
		{"no time", "c06161", "a time"},
		{"time with zeros", "c0" + text("2024-01-01T00:00:00.10Z"), "a time"},
		{"time of year 0", "c0" + text("0000-01-01T00:00:00Z"), "a time"},
		{"time with a comma", "c0" + text("2024-01-01T00:00:00,1Z"), "a time"},
		{"time with an odd zone", "c0" + text("2024-01-01T00:00:00+00:00"), "a time"},
		{"reference to nothing", "d81d00", "a shared item that is not there"},
		{"reference to later", "82d81d00d81c00", "a shared item that is not there"},
		{"reference that is none", "82d81c00d81d20", "a shared item that is not there"},
		{"slice in itself", "d81ccb83d81d000000", "a slice"},
		{"slice of texts", "cb836161f6f6", "a slice"},
		{"range of None", "cc8300f600", "a range"},
		{"number cut", "82d81cc249d81d00", "a large integer"},
		{"shared twice", "d81cd81c00", "a shared item in a shared item"},
		{"shared reference", "82d81c00d81cd81d00", "a shared item in a shared item"},
		{"too deep", deep(interchange.MaxDepth + 1), "too deep"},
		{"too deep in maps", strings.Repeat("a100", interchange.MaxDepth+1) + "00", "too deep"},
		{"too deep in objects", strings.Repeat("ce830000", interchange.MaxDepth+1) + "00", "a Python object"},
		{"too deep in tuples", strings.Repeat("c781", interchange.MaxDepth+1) + "00", "too deep"},
		{"too deep in sets", strings.Repeat("c981", interchange.MaxDepth+1) + "00", "too deep"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if len(tt.bytes)%2 != 0 {
				tt.bytes += "1"
			}
			b := unhex(t, tt.bytes)
			err := interchange.Check(b, interchange.Limits{})
			wantCorrupt(t, err)
			if err != nil && !strings.Contains(err.Error(), tt.mention) {
				t.Errorf("error %q does not mention %q", err, tt.mention)
			}
			if _, err := interchange.ParseValue(b); err == nil {
				t.Error("it parses")
			}
			if _, err := decode[any](t, b, nil); !errors.Is(err, mperr.ErrCorrupt) {
				t.Errorf("it decodes: %v", err)
			}
		})
	}
	if err := interchange.Check(unhex(t, deep(interchange.MaxDepth)), interchange.Limits{}); err != nil {
		t.Error(err)
	}
	wantCorrupt(t, interchange.Check(unhex(t, deep(4)), interchange.Limits{Depth: 3}))
}

func text(s string) string {
	if len(s) < 24 {
		return fmt.Sprintf("%02x%x", 0x60+len(s), s)
	}
	return fmt.Sprintf("78%02x%x", len(s), s)
}

// Next follows the structure only.
func TestNext(t *testing.T) {
	for _, bad := range []string{"", "19ff", "82", "8200", "a100", "c7", "c2", "61", "9bffffffffffffffff", "bbffffffffffffffff", "ff", "8180" + "81"} {
		b := unhex(t, bad)
		item, rest, err := interchange.Next(b)
		if bad == "818081" {
			if err != nil || len(item) != 2 || len(rest) != 1 {
				t.Errorf("%s: %x, %x, %v", bad, item, rest, err)
			}
			continue
		}
		wantCorrupt(t, err)
	}
}

// wrong is an item that does not fit a type, and what the error says.
type wrong struct {
	name string
	run  func(t *testing.T)
}

func misfit[T any](name, bytes, want string) wrong {
	return wrong{name, func(t *testing.T) {
		_, err := decode[T](t, unhex(t, bytes), sessions{})
		if !errors.Is(err, mperr.ErrType) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}}
}

func TestMisfits(t *testing.T) {
	type holder struct {
		List []map[string]order
		Next *list
	}
	for _, tt := range []wrong{
		misfit[int8]("overflow", "190100", "int8: object holds another type: the integer 256 for int8"),
		misfit[int8]("negative overflow", "3880", "the integer -129 for int8"),
		misfit[int64]("2^63", "1b8000000000000000", "the integer 9223372036854775808 for int64"),
		misfit[int64]("-2^63-1", "3b8000000000000000", "a large negative integer for int64"),
		misfit[int]("big", "c249010000000000000000", "a large integer for int"),
		misfit[uint]("negative", "20", "the integer -1 for uint"),
		misfit[uint16]("unsigned overflow", "1a00010000", "the integer 65536 for uint16"),
		misfit[float32]("float32 overflow", "fb7fefffffffffffff", "the float 1.7976931348623157e+308 for float32"),
		misfit[complex64]("complex64 overflow", "d9a7f882fb0000000000000000fb7fefffffffffffff", "a complex number for complex64"),
		misfit[complex64]("float for complex64", "fb7fefffffffffffff", "the float 1.7976931348623157e+308 for complex64"),
		misfit[point]("state of two texts", "ce84cd8261616161c7800"+"5c78261616162", "a Python object for interchange_test.point"),
		misfit[int]("float", "fb3ff0000000000000", "the float 1 for int"),
		misfit[int]("bool", "f5", "the bool true for int"),
		misfit[bool]("integer for bool", "01", "the integer 1 for bool"),
		misfit[string]("bytes for string", "4161", "1 bytes for string"),
		misfit[[]byte]("text for bytes", "6161", `the text "a" for []uint8`),
		misfit[int]("null", "f6", "null for int"),
		misfit[order]("list too short", "820000", "a list of 2 for interchange_test.order"),
		misfit[point]("set for struct", "d90102820001", "a set of 2 for interchange_test.point"),
		misfit[[2]int]("array too long", "83000000", "a list of 3 for [2]int"),
		misfit[[2]byte]("bytes too long", "43000000", "3 bytes for [2]uint8"),
		misfit[[]int]("dict for list", "a0", "a dict of 0 for []int"),
		misfit[map[string]int]("list for map", "80", "a list of 0 for map[string]int"),
		misfit[map[string]int]("key", "a10000", "map[string]int[key]: object holds another type: the integer 0 for string"),
		misfit[map[any]int]("key without ==", "a1c7810000", "map[interface {}]int[key]: object holds another type: a key that has no == in Go; use a *pymp.Dict or any"),
		misfit[time.Time]("text for time", "6161", `the text "a" for time.Time`),
		misfit[big.Int]("float for big", "fb3ff0000000000000", "the float 1 for big.Int"),
		misfit[complex128]("text for complex", "6161", `the text "a" for complex128`),
		misfit[*queue[int]]("text for handle", "6161", `the text "a" for *interchange_test.queue[int]`),
		misfit[point]("object without attributes", "ce83cd826161616100"+"00", "a Python object for interchange_test.point"),
		misfit[holder]("path", "a1"+text("List")+"81a1"+text("k")+"a1"+text("id")+"f5", "interchange_test.holder.List[0][k].id: object holds another type: the bool true for int64"),
		misfit[list]("deep path", "a1"+text("Next")+"a1"+text("Next")+"00", "interchange_test.list.Next.Next: object holds another type: the integer 0 for interchange_test.list"),
	} {
		t.Run(tt.name, tt.run)
	}
	if _, err := decode[*queue[int]](t, unhex(t, "c6480000000000000001"), sessions{}); err == nil || !strings.Contains(err.Error(), "no such handle") {
		t.Errorf("a handle of another kind: %v", err)
	}
}
