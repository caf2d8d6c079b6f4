package pickle

import (
	"testing"

	"multiproc/internal/pyvalue"
)

// What a manager reads and writes for d['name'].
func BenchmarkDecodeRequest(b *testing.B) {
	frame, err := Encode(nil, request, EncodeOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(frame, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeReply(b *testing.B) {
	reply := pyvalue.Tuple{"#RETURN", int64(100000)}
	dst := make([]byte, 0, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Encode(dst, reply, EncodeOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeRecords(b *testing.B) {
	frame, err := Encode(nil, records(1000), EncodeOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(frame, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeRecords(b *testing.B) {
	v, dst := records(1000), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = Encode(dst[:0], v, EncodeOptions{}); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(dst)))
	}
}

var request = pyvalue.Tuple{"7f9ab30f3940", "__getitem__", pyvalue.Tuple{"name"}, &pyvalue.Dict{}}

// records are n dicts of four keys.
func records(n int) pyvalue.Value {
	l := &pyvalue.List{}
	for i := range n {
		l.Items = append(l.Items, &pyvalue.Dict{Entries: []pyvalue.Entry{
			{Key: "name", Value: "somebody"},
			{Key: "number", Value: int64(i)},
			{Key: "share", Value: float64(i) / 3},
			{Key: "tags", Value: pyvalue.Tuple{"a", "b", nil}},
		}})
	}
	return l
}
