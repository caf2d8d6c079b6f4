//go:build linux

package mp_test

import (
	"testing"

	"multiproc/mp"
)

// What an item costs that one process puts, and that it gets, or has lent and
// acknowledges.
func BenchmarkLease(b *testing.B) {
	ctx := b.Context()
	q, err := mp.NewQueue[int](0)
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if err := q.Put(ctx, 1); err != nil {
				b.Fatal(err)
			}
			if _, err := q.Get(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("receive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := q.Put(ctx, 1); err != nil {
				b.Fatal(err)
			}
			d, err := q.Receive(ctx)
			if err != nil {
				b.Fatal(err)
			}
			if err := d.Ack(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("batch", func(b *testing.B) {
		b.ReportAllocs()
		values := make([]int, 256)
		for range b.N/len(values) + 1 {
			if _, err := q.PutBatch(ctx, values); err != nil {
				b.Fatal(err)
			}
			for n := 0; n < len(values); {
				ds, err := q.ReceiveBatch(ctx, len(values))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := q.AckBatch(ctx, ds); err != nil {
					b.Fatal(err)
				}
				n += len(ds)
			}
		}
	})
}
