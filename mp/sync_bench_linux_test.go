package mp_test

import (
	"testing"

	"multiproc/mp"
)

// Alone, in memory: what the doc comments say.
func BenchmarkSemaphore(b *testing.B) {
	s, ctx := closing(b, get(mp.NewSemaphore(1))(b)), b.Context()
	for b.Loop() {
		_ = s.Acquire(ctx, 1)
		_ = s.Release(ctx, 1)
	}
}

func BenchmarkRecursiveMutex(b *testing.B) {
	m, ctx := closing(b, get(mp.NewRecursiveMutex())(b)), b.Context()
	for b.Loop() {
		_ = m.Lock(ctx)
		m.Unlock()
	}
}

func BenchmarkRWMutex(b *testing.B) {
	m, ctx := closing(b, get(mp.NewRWMutex())(b)), b.Context()
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = m.RLock(ctx)
			m.RUnlock()
		}
	})
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = m.Lock(ctx)
			m.Unlock()
		}
	})
}

func BenchmarkEvent(b *testing.B) {
	e, ctx := closing(b, get(mp.NewEvent())(b)), b.Context()
	for b.Loop() {
		_ = e.Set(ctx)
		_ = e.Clear(ctx)
	}
}

func BenchmarkBarrier(b *testing.B) {
	w, ctx := closing(b, get(mp.NewBarrier(1))(b)), b.Context()
	for b.Loop() {
		_, _ = w.Wait(ctx)
	}
}

// Two processes that let each other go.
func BenchmarkBarrierOfTwo(b *testing.B) {
	x := tools{Do: "meet for ever", B: closing(b, get(mp.NewBarrier(2))(b))}
	c := start(b, UseTools, x)
	_, _ = x.B.Wait(b.Context())
	for b.Loop() {
		_, _ = x.B.Wait(b.Context())
	}
	_ = x.B.Abort(b.Context())
	finish(b, c)
}

func BenchmarkSemaphoreHandOver(b *testing.B) {
	x := tools{Do: "hand over", S: closing(b, get(mp.NewSemaphore(0))(b)), S2: closing(b, get(mp.NewSemaphore(0))(b))}
	c := start(b, UseTools, x)
	for b.Loop() {
		_ = x.S.Release(b.Context(), 1)
		_ = x.S2.Acquire(b.Context(), 1)
	}
	_ = c.Kill()
	_ = c.Wait(b.Context())
}

func BenchmarkWaitGroup(b *testing.B) {
	w, ctx := closing(b, get(mp.NewWaitGroup())(b)), b.Context()
	for b.Loop() {
		_ = w.Add(ctx, 1)
		_ = w.Done(ctx)
	}
}

func BenchmarkOnce(b *testing.B) {
	o, ctx := closing(b, get(mp.NewOnce())(b)), b.Context()
	f := func() error { return nil }
	for b.Loop() {
		_ = o.Do(ctx, f)
	}
}
