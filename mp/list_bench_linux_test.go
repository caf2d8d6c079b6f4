package mp_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"multiproc/mp"
)

func BenchmarkList(b *testing.B) {
	ctx := b.Context()
	for _, n := range []int{1000, 1_000_000} {
		l := closing(b, get(mp.NewList[int]())(b))
		for i := range n {
			must(b, l.Append(ctx, i))
		}
		at := make([]int, 1<<16)
		for i := range at {
			at[i] = rand.IntN(n)
		}
		b.Run(fmt.Sprint("get/", n), func(b *testing.B) {
			for i := range b.N {
				if _, err := l.Get(ctx, at[i&(1<<16-1)]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("set/", n), func(b *testing.B) {
			for i := range b.N {
				if err := l.Set(ctx, at[i&(1<<16-1)], i); err != nil { // must would look for its caller
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("insert/", n), func(b *testing.B) {
			for i := range b.N {
				if err := l.Insert(ctx, at[i&(1<<16-1)], i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("append", func(b *testing.B) {
		l := closing(b, get(mp.NewList[int]())(b))
		for i := range b.N {
			if err := l.Append(ctx, i); err != nil {
				b.Fatal(err)
			}
		}
	})
}
