// A shared value of every type code, set by a child to the largest it holds.
//
//	Value('h', 0), Value('Q', 0), Value('d', 0) …
//
// The type code is the type parameter. Python stores 200 in a Value('b') as -56; here it
// does not compile.
package main

import (
	"context"
	"fmt"
	"log"
	"math"
	"unicode"

	"multiproc/mp"
)

type job struct {
	Char   *mp.Value[byte]    // 'c'
	Wchar  *mp.Value[rune]    // 'u'
	Byte   *mp.Value[int8]    // 'b'
	Ubyte  *mp.Value[uint8]   // 'B'
	Short  *mp.Value[int16]   // 'h'
	Ushort *mp.Value[uint16]  // 'H'
	Int    *mp.Value[int32]   // 'i'
	Uint   *mp.Value[uint32]  // 'I'
	Long   *mp.Value[int64]   // 'l', and 'q', which is as long here
	Ulong  *mp.Value[uint64]  // 'L', and 'Q'
	Float  *mp.Value[float32] // 'f'
	Double *mp.Value[float64] // 'd'
}

func set(_ context.Context, j job) error {
	j.Char.Store('z')
	j.Wchar.Store(unicode.MaxRune)
	j.Byte.Store(math.MaxInt8)
	j.Ubyte.Store(math.MaxUint8)
	j.Short.Store(math.MaxInt16)
	j.Ushort.Store(math.MaxUint16)
	j.Int.Store(math.MaxInt32)
	j.Uint.Store(math.MaxUint32)
	j.Long.Store(math.MaxInt64)
	j.Ulong.Store(math.MaxUint64)
	j.Float.Store(math.MaxFloat32)
	j.Double.Store(math.MaxFloat64)
	return nil
}

var Set = mp.Proc(set)

func value[T any]() *mp.Value[T] {
	var zero T
	v, err := mp.NewValue(zero)
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	mp.Init()
	ctx := context.Background()

	j := job{
		Char: value[byte](), Wchar: value[rune](),
		Byte: value[int8](), Ubyte: value[uint8](),
		Short: value[int16](), Ushort: value[uint16](),
		Int: value[int32](), Uint: value[uint32](),
		Long: value[int64](), Ulong: value[uint64](),
		Float: value[float32](), Double: value[float64](),
	}
	if _, err := Set.Run(ctx, j); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("c   %c\n", j.Char.Load())
	fmt.Printf("u   %U\n", j.Wchar.Load())
	fmt.Printf("b   %d\n", j.Byte.Load())
	fmt.Printf("B   %d\n", j.Ubyte.Load())
	fmt.Printf("h   %d\n", j.Short.Load())
	fmt.Printf("H   %d\n", j.Ushort.Load())
	fmt.Printf("i   %d\n", j.Int.Load())
	fmt.Printf("I   %d\n", j.Uint.Load())
	fmt.Printf("l q %d\n", j.Long.Load())
	fmt.Printf("L Q %d\n", j.Ulong.Load())
	fmt.Printf("f   %g\n", j.Float.Load())
	fmt.Printf("d   %g\n", j.Double.Load())
}
