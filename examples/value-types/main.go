// A shared value of every type code, set by a child to the largest it holds.
//
//	Value('h', 0), Value('Q', 0), Value('d', 0) …
//
// The type code is the type parameter. Python stores 200 in a Value('b') as -56; here it
// does not compile.
package main

import (
	"context"
	"errors"
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

func set(ctx context.Context, j job) error {
	return errors.Join(
		j.Char.Store(ctx, 'z'),
		j.Wchar.Store(ctx, unicode.MaxRune),
		j.Byte.Store(ctx, math.MaxInt8),
		j.Ubyte.Store(ctx, math.MaxUint8),
		j.Short.Store(ctx, math.MaxInt16),
		j.Ushort.Store(ctx, math.MaxUint16),
		j.Int.Store(ctx, math.MaxInt32),
		j.Uint.Store(ctx, math.MaxUint32),
		j.Long.Store(ctx, math.MaxInt64),
		j.Ulong.Store(ctx, math.MaxUint64),
		j.Float.Store(ctx, math.MaxFloat32),
		j.Double.Store(ctx, math.MaxFloat64),
	)
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

func load[T any](ctx context.Context, v *mp.Value[T]) T {
	x, err := v.Load(ctx)
	if err != nil {
		log.Fatal(err)
	}
	return x
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
	fmt.Printf("c   %c\n", load(ctx, j.Char))
	fmt.Printf("u   %U\n", load(ctx, j.Wchar))
	fmt.Printf("b   %d\n", load(ctx, j.Byte))
	fmt.Printf("B   %d\n", load(ctx, j.Ubyte))
	fmt.Printf("h   %d\n", load(ctx, j.Short))
	fmt.Printf("H   %d\n", load(ctx, j.Ushort))
	fmt.Printf("i   %d\n", load(ctx, j.Int))
	fmt.Printf("I   %d\n", load(ctx, j.Uint))
	fmt.Printf("l q %d\n", load(ctx, j.Long))
	fmt.Printf("L Q %d\n", load(ctx, j.Ulong))
	fmt.Printf("f   %g\n", load(ctx, j.Float))
	fmt.Printf("d   %g\n", load(ctx, j.Double))
}
