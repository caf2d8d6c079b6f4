package mp_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"multiproc/mp"
)

func benchDict[K comparable, V any](b *testing.B, n int, key func(i int) K, value func(i int) V) {
	ctx := b.Context()
	d := closing(b, get(mp.NewDict[K, V]())(b))
	for i := range n {
		if err := d.Set(ctx, key(i), value(i)); err != nil {
			b.Fatal(err)
		}
	}
	keys := make([]K, 1<<16)
	for i := range keys {
		keys[i] = key(rand.IntN(n))
	}
	v := value(3)
	b.Run("get", func(b *testing.B) {
		for i := range b.N {
			if _, err := d.Get(ctx, keys[i&(1<<16-1)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("set", func(b *testing.B) {
		for i := range b.N {
			if err := d.Set(ctx, keys[i&(1<<16-1)], v); err != nil {
				b.Fatal(err)
			}
		}
	})
	var m sync.Map
	for i := range n {
		m.Store(key(i), value(i))
	}
	b.Run("syncMapLoad", func(b *testing.B) {
		for i := range b.N {
			if _, ok := m.Load(keys[i&(1<<16-1)]); !ok {
				b.Fatal()
			}
		}
	})
	b.Run("syncMapStore", func(b *testing.B) {
		for i := range b.N {
			m.Store(keys[i&(1<<16-1)], v)
		}
	})
}

func BenchmarkDict(b *testing.B) {
	number := func(i int) int { return i }
	text := func(i int) string { return fmt.Sprint("key ", i) }
	hundred := func(int) []byte { return []byte(strings.Repeat("x", 100)) }
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint("int/", n), func(b *testing.B) { benchDict(b, n, number, number) })
		b.Run(fmt.Sprint("bytes/", n), func(b *testing.B) { benchDict(b, n, text, hundred) })
	}
}
