//go:build linux

package mp_test

import (
	"context"
	"testing"

	"multiproc/mp"
)

func BenchmarkQueuePutGet(b *testing.B) {
	q, err := mp.NewQueue[int64](1000)
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	ctx := context.Background()
	for b.Loop() {
		_ = q.Put(ctx, 1)
		_, _ = q.Get(ctx)
	}
}

// A queue that holds many items, as between a putter and a getter that do not
// wait for each other.
func BenchmarkQueueStream(b *testing.B) {
	q, err := mp.NewQueue[int64](1000)
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	ctx := context.Background()
	for b.Loop() {
		for range 500 {
			_ = q.Put(ctx, 1)
		}
		for range 500 {
			_, _ = q.Get(ctx)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/call")
}

func BenchmarkQueueBatch(b *testing.B) {
	q, err := mp.NewQueue[int64](1000)
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	ctx := context.Background()
	batch := make([]int64, 100)
	for b.Loop() {
		_, _ = q.PutBatch(ctx, batch)
		_, _ = q.GetBatch(ctx, 100)
	}
}

func BenchmarkValueUpdate(b *testing.B) {
	v, err := mp.NewValue[int64](0)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	ctx := context.Background()
	for b.Loop() {
		_ = v.Update(ctx, func(x *int64) error { *x++; return nil })
	}
}
