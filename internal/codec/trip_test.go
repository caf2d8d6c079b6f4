package codec_test

import (
	"math"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"structs"
	"testing"
	"time"

	"multiproc/internal/codec"
)

type (
	celsius float64
	octet   byte
	octets  []octet
	label   string
	point   struct{ X, Y int32 }
	padded  struct {
		_ structs.HostLayout
		A bool
		B int64
	}
	order struct {
		ID    int64
		Name  string
		Price float64
	}
	note struct {
		Text  label
		Lines []string
		Count map[string]int
		Next  *order
		Data  []byte
	}
	base   struct{ ID int }
	Texted struct{ Title string }
)

func TestRawTrips(t *testing.T) {
	negativeZero := math.Copysign(0, -1)
	runTrips(t, []trip{
		row("bool", codec.Raw, true),
		row("int", codec.Raw, math.MinInt),
		row("int8", codec.Raw, int8(-128)),
		row("uint64", codec.Raw, uint64(math.MaxUint64)),
		row("float32", codec.Raw, float32(math.Inf(-1))),
		row("negative zero", codec.Raw, negativeZero),
		row("nan", codec.Raw, math.NaN()),
		row("complex64", codec.Raw, complex64(1-2i)),
		row("complex128", codec.Raw, complex(math.Inf(1), negativeZero)),
		row("named", codec.Raw, celsius(36.6)),
		row("duration", codec.Raw, time.Minute),
		row("array", codec.Raw, [3]int16{1, -2, 3}),
		row("empty array", codec.Raw, [0]int{}),
		row("struct", codec.Raw, point{1, -2}),
		row("no fields", codec.Raw, struct{}{}),
		row("padded", codec.Raw, padded{A: true, B: -1}),
		row("nested", codec.Raw, struct {
			P [2]point
			base
		}{[2]point{{1, 2}, {3, 4}}, base{5}}),
	})
}

func TestShortTrips(t *testing.T) {
	runTrips(t, []trip{
		row("bytes", codec.Bytes, []byte{0, 1, 255}),
		row("empty bytes", codec.Bytes, []byte{}),
		row("nil bytes", codec.Bytes, []byte(nil)),
		row("named bytes", codec.Bytes, octets{1, 2}),
		row("ip", codec.Bytes, net.IPv4(1, 2, 3, 4)),
		row("string", codec.String, "grüß\x00 dich"),
		row("not utf-8", codec.String, "\xff\xfe"),
		row("empty string", codec.String, ""),
		row("named string", codec.String, label("x")),
	})
}

func TestPlainTrips(t *testing.T) {
	type numbers struct {
		I8   int8
		U64  uint64
		I64  int64
		F32  float32
		F64  float64
		Text string
	}
	zero := 0
	runTrips(t, []trip{
		row("struct", codec.Item, order{-7, "straw\xffberry", 2.5}),
		row("zero struct", codec.Item, order{}),
		row("nil parts", codec.Item, note{}),
		row("empty parts", codec.Item, note{Lines: []string{}, Count: map[string]int{}, Next: &order{}, Data: []byte{}}),
		row("full parts", codec.Item, note{"t", []string{"", "b"}, map[string]int{"": 0, "x": -1}, &order{Name: "n"}, []byte{0}}),
		row("limits", codec.Item, numbers{-128, math.MaxUint64, math.MinInt64, math.MaxFloat32, math.SmallestNonzeroFloat64, "\x00"}),
		row("odd floats", codec.Item, numbers{F32: float32(math.NaN()), F64: math.Copysign(0, -1)}),
		row("infinities", codec.Item, numbers{F32: float32(math.Inf(1)), F64: math.Inf(-1)}),
		row("nil slice", codec.Item, []string(nil)),
		row("empty slice", codec.Item, []string{}),
		row("slice of slices", codec.Item, [][]string{nil, {}, {"a", ""}}),
		row("slice of bytes", codec.Item, [][]byte{nil, {}, {1}}),
		row("nil map", codec.Item, map[string]string(nil)),
		row("map", codec.Item, map[int8]bool{-1: true, 1: false}),
		row("map of maps", codec.Item, map[string]map[bool]uint64{"nil": nil, "empty": {}, "one": {true: 1 << 63}}),
		row("nil pointer", codec.Item, (*int)(nil)),
		row("pointer to zero", codec.Item, &zero),
		row("other tags", codec.Item, struct {
			A string `db:"a"`
		}{"x"}),
	})
}

func TestTreeTrips(t *testing.T) {
	zero := 0
	pointer, null := &zero, (*int)(nil)
	type tagged struct {
		Hidden  string `json:"-"`
		Zero    string `json:",omitempty"`
		Renamed int    `cbor:"9,keyasint"`
	}
	type twins struct { // as encoding/json sees it, X is ambiguous and vanishes
		A struct{ point }
		point
		B struct{ point }
		S string
	}
	runTrips(t, []trip{
		row("json tags", codec.Item, tagged{"h", "", 9}),
		row("embedded", codec.Item, struct {
			base
			*Texted
			Other string
		}{base{1}, &Texted{"t"}, "o"}),
		row("embedded nil", codec.Item, struct {
			*Texted
			Other string
		}{nil, "o"}),
		row("embedded twins", codec.Item, twins{S: "s", point: point{1, 2}, A: struct{ point }{point{3, 4}}}),
		row("pointer to pointer", codec.Item, &pointer),
		row("pointer to nil", codec.Item, &null),
		row("nil pointer to pointer", codec.Item, (**int)(nil)),
		row("pointers to nil", codec.Item, struct {
			S *[]string
			M *map[string]int
			B *[]byte
			A *any
		}{new([]string), new(map[string]int), new([]byte), new(any)}),
		row("numbers", codec.Item, []float64{1, math.Inf(1), math.Copysign(0, -1)}),
		row("nan in slice", codec.Item, []float32{float32(math.NaN())}),
		row("nil numbers", codec.Item, []int(nil)),
		row("empty numbers", codec.Item, []int{}),
		row("points", codec.Item, []point{{1, 2}, {3, 4}}),
		row("nothings", codec.Item, []struct{}{{}, {}, {}}),
		row("array of strings", codec.Item, [3]string{"a", "", "c"}),
		row("array of bytes inside", codec.Item, struct {
			ID   [16]byte
			Name string
		}{[16]byte{1, 15: 2}, "n"}),
		row("slice of arrays", codec.Item, [][2]string{{"a", "b"}, {}}),
		row("complex inside", codec.Item, struct {
			C complex64
			S string
		}{1i, "s"}),
		row("set", codec.Item, map[string]struct{}{"a": {}, "b": {}}),
		row("float keys", codec.Item, map[float64]string{math.Inf(1): "inf", 0.5: "half"}),
		row("nan keys", codec.Item, map[float64]string{math.NaN(): "a"}),
		row("struct keys", codec.Item, map[point]string{{1, 2}: "a", {2, 1}: "b"}),
		row("array keys", codec.Item, map[[2]string]int{{"a", "b"}: 1, {"b", "a"}: 2}),
		row("complex keys", codec.Item, map[complex128]string{1i: "i"}),
		row("big.Int", codec.Item, *new(big.Int).Lsh(big.NewInt(-3), 200)),
		row("*big.Int", codec.Item, map[string]*big.Int{"nil": nil, "zero": new(big.Int), "one": big.NewInt(1)}),
		row("big.Float", codec.Item, new(big.Float).SetPrec(300).SetFloat64(0.1)),
		row("big.Rat", codec.Item, big.NewRat(1, 3)),
		row("netip", codec.Item, netip.MustParsePrefix("fe80::/10")),
		row("zone", codec.Item, netip.MustParseAddr("fe80::1%eth0")),
		row("url", codec.Item, must(url.Parse("https://user:pw@example.org/a?b#c"))),
	})
}

// The methods of these types would lose something, and are not to be called:
// what a type other than a struct makes of itself, what a struct without
// secrets makes of itself for a text, and what is meant for CBOR alone.
type (
	mapForm  map[string]int
	textForm struct{ Name, Rest string }
	cborForm struct{ Name string }
)

func (mapForm) MarshalBinary() ([]byte, error)   { return nil, nil }
func (*mapForm) UnmarshalBinary([]byte) error    { return nil }
func (f textForm) MarshalText() ([]byte, error)  { return []byte(f.Name), nil }
func (f *textForm) UnmarshalText(b []byte) error { f.Name = string(b); return nil }
func (cborForm) MarshalCBOR() ([]byte, error)    { return []byte{0xf6}, nil }
func (*cborForm) UnmarshalCBOR([]byte) error     { return nil }

func TestFormsNotAsked(t *testing.T) {
	type large struct {
		Pad  [64]int
		Name string
	}
	runTrips(t, []trip{
		row("map", codec.Item, mapForm{"a": 1}),
		row("text", codec.Item, textForm{"a", "b"}),
		row("cbor", codec.Item, cborForm{"a"}),
		row("cbor inside", codec.Item, struct{ C []cborForm }{[]cborForm{{"a"}}}),
		row("large elements", codec.Item, []large{{Name: "a"}, {Name: "b"}, {Pad: [64]int{63: 1}}}),
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

type list struct {
	Value int
	Next  *list
}

type forest []forest

type tree struct {
	Kids map[string]*tree
	List []tree
	Any  any
}

func TestRecursiveTrips(t *testing.T) {
	runTrips(t, []trip{
		row("list", codec.Item, list{1, &list{2, &list{3, nil}}}),
		row("nil list", codec.Item, (*list)(nil)),
		row("forest", codec.Item, forest{nil, {}, {{}, {nil}}}),
		row("tree", codec.Item, tree{
			Kids: map[string]*tree{"a": {List: []tree{{}, {}}}, "b": nil},
			Any:  []any{1, "x"},
		}),
	})
}

func TestTimeTrips(t *testing.T) {
	amsterdam := time.FixedZone("LMT", 19*60+32) // as before 1937: the seconds count
	for _, want := range []time.Time{
		{},
		time.Unix(1, 999_999_999).UTC(),
		time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.FixedZone("", -5*3600)),
		time.Date(1890, 1, 1, 0, 0, 0, 1, amsterdam),
		time.Date(-44, 3, 15, 0, 0, 0, 0, time.UTC),
		time.Date(12024, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Now(),
	} {
		for _, got := range []time.Time{
			travel(t, want, nil),
			*travel(t, &want, nil),
			travel(t, []any{want}, nil)[0].(time.Time),
			travel(t, struct {
				time.Time
				Name string
			}{want, "n"}, nil).Time,
		} {
			_, wantOffset := want.Zone()
			if _, offset := got.Zone(); !got.Equal(want) || offset != wantOffset {
				t.Errorf("sent %v, got %v", want, got)
			}
		}
	}
}

// The methods of an embedded field become the struct's own. Taken for a form
// of the struct, they would lose the other fields.
func TestPromotedForm(t *testing.T) {
	type stamped struct {
		time.Time
		Name string
	}
	if got := travel(t, stamped{Name: "n"}, nil); got.Name != "n" {
		t.Errorf("the name got lost: %+v", got)
	}
}
