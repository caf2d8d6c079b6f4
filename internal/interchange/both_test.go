package interchange_test

import (
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"multiproc/internal/codec"
	"multiproc/internal/interchange"
)

// dialectOf is a plan of either dialect.
type dialectOf[T any] struct {
	name string
	plan *codec.Typed[T]
}

func dialects[T any](t testing.TB) []dialectOf[T] {
	native, err := codec.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	return []dialectOf[T]{{"native", native}, {"interchange", plan[T](t)}}
}

// both is a value that arrives as it was sent, in both dialects.
type both struct {
	name  string
	test  func(t *testing.T)
	bench func(b *testing.B)
}

func inBoth[T any](name string, v T) both {
	return both{
		name,
		func(t *testing.T) {
			for _, d := range dialects[T](t) {
				b, err := d.plan.Append([]byte("before"), &v, nil)
				if err != nil {
					t.Fatalf("%s: %v", d.name, err)
				}
				var got T
				if err := d.plan.Decode(b[len("before"):], &got, nil); err != nil {
					t.Fatalf("%s: %x: %v", d.name, b, err)
				}
				clear(b) // which nothing that was decoded lies in
				if !same(got, v) {
					t.Errorf("%s:\nsent %#v\ngot  %#v", d.name, v, got)
				}
			}
		},
		func(b *testing.B) {
			for _, d := range dialects[T](b) {
				encoded, err := d.plan.Append(nil, &v, nil)
				if err != nil {
					b.Fatal(err)
				}
				b.Run(d.name+"/append", func(b *testing.B) {
					b.ReportAllocs()
					buf := make([]byte, 0, 2*len(encoded))
					for b.Loop() {
						local := v
						if _, err := d.plan.Append(buf, &local, nil); err != nil {
							b.Fatal(err)
						}
					}
				})
				b.Run(d.name+"/decode", func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						var w T
						if err := d.plan.Decode(encoded, &w, nil); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		},
	}
}

// job is a struct with several texts, of which one message may keep them all.
type job struct {
	ID              int64
	Name, Host, Cmd string
	Priority        int
}

func bothTable() []both {
	type (
		octets []byte
		deep   struct {
			base
			Kids  map[string]*deep
			Names []string
			Pair  [2]point
			Raw   []uint16
			Float float32
			Next  *deep
			Any   any
		}
	)
	texts, words := map[string]int{}, make([]string, 100)
	for i := range 100 {
		texts[string(rune('a'+i))] = i
		words[i] = fmt.Sprint("word", i)
	}
	long := make([]byte, 70_000)
	return []both{
		inBoth("bool", true),
		inBoth("int", math.MinInt),
		inBoth("uint64", uint64(math.MaxUint64)),
		inBoth("float32", float32(0.1)),
		inBoth("nan", math.NaN()),
		inBoth("complex64", complex64(1-2i)),
		inBoth("string", "sixteen letters."),
		inBoth("no UTF-8", "a\xff"),
		inBoth("bytes", make([]byte, 1024)),
		inBoth("nil bytes", octets(nil)),
		inBoth("empty bytes", octets{}),
		inBoth("array of bytes", [4]byte{1, 2, 3, 4}),
		inBoth("point", point{1, 2}),
		inBoth("order", order{1, "a name", 2.5}),
		inBoth("job", job{1, "a name", "node17.example.org", "run --all", 5}),
		inBoth("job without texts", job{ID: 1}),
		inBoth("job with a long text", job{Name: string(long), Host: "\xff"}),
		inBoth("list", list{1, &list{2, &list{3, nil}}}),
		inBoth("deep", deep{
			base{"k"},
			map[string]*deep{"a": {}, "b": nil},
			[]string{"", "x"},
			[2]point{{1, 2}, {3, 4}},
			[]uint16{1, 65535},
			0.5, &deep{Names: []string{}},
			[]any{1, "a", nil, 2.5, map[string]any{"b": true}},
		}),
		inBoth("nil slice", []int(nil)),
		inBoth("empty slice", []string{}),
		inBoth("floats", make([]float64, 1000)),
		inBoth("points", make([]point, 100)),
		inBoth("orders", make([]order, 100)),
		inBoth("strings", words),
		inBoth("arrays", [][2]string{{"a", "b"}, {}}),
		inBoth("nil map", map[string]string(nil)),
		inBoth("empty map", map[string]any{}),
		inBoth("map of ints", texts),
		inBoth("map of texts", map[string]string{"": "a", "\xff": "\xfe"}),
		inBoth("map of floats", map[string]float64{"a": 0.5}),
		inBoth("map of bools", map[string]bool{"a": true, "b": false}),
		inBoth("map by int", map[int]string{-1: "a", 1 << 40: "b"}),
		inBoth("map by int of int", map[int]int{1: 2, -3: 4}),
		inBoth("map of structs", map[point]order{{1, 2}: {1, "n", 2}}),
		inBoth("map of maps", map[int8]map[string]any{1: {"a": 1}, 2: nil}),
		inBoth("set", map[string]struct{}{"a": {}, "b": {}}),
		inBoth("any", any([]any{nil, true, -7, 2.5, "text", map[string]any{"a": []any{}, "\xff": "\xff"}})),
		inBoth("any map", map[string]any{"name": "a name", "id": 7, "price": 2.5, "tags": []any{"x", "y"}}),
		inBoth("any keys", map[any]any{1: "a", "b": 2.5, nil: true}),
		inBoth("pointer", ptr(ptr(5))),
		inBoth("time", time.Unix(5, 6).UTC()),
		inBoth("big", *number("0x1234567890abcdef1234567890abcdef")),
		inBoth("big pointers", []*big.Int{big.NewInt(-1), nil}),
		inBoth("own text", netip.MustParseAddr("fe80::1%eth0")),
		inBoth("own bytes", url.URL{Scheme: "https", Host: "example.org", Path: "/a"}),
	}
}

// TestBothDialects sends the same values in both dialects.
func TestBothDialects(t *testing.T) {
	for _, row := range bothTable() {
		t.Run(row.name, row.test)
	}
}

func BenchmarkBothDialects(b *testing.B) {
	for _, row := range bothTable() {
		b.Run(row.name, row.bench)
	}
}

// A mistake in the program is told with the name of the reader that its dialect
// is for.
func TestBothRefuse(t *testing.T) {
	_, native := codec.For[[]chan int]()
	_, interchange := interchange.For[[]chan int]()
	for err, want := range map[error]string{
		native:      "[]chan int[]: chan int cannot travel to another process; share a *mp.Queue or a *mp.Conn instead",
		interchange: "[]chan int[]: chan int cannot travel to another program; share a *mp.Queue instead",
	} {
		if err == nil || err.Error() != want {
			t.Errorf("\ngot  %v\nwant %s", err, want)
		}
	}
}
