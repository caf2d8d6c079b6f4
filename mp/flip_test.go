//go:build linux

package mp_test

import (
	"testing"
	"time"
	"unsafe"

	"multiproc/mp"
)

// flips calls f with each bit of the memory flipped.
func flips(b []byte, f func(bit int)) {
	sound := append([]byte{}, b...)
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		f(bit)
		copy(b, sound)
	}
}

// Whatever bit flips in the memory of an object that nobody uses: every call
// ends, with a result or an error.
func TestFlipsEndEveryCall(t *testing.T) {
	ctx := within(t, 20*time.Second)
	ended := func(what string, bit int) {
		if ctx.Err() != nil {
			t.Fatalf("%s, bit %d: a call does not end", what, bit)
		}
	}
	v := value(t, wide{A: 1})
	flips(unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(v.Turn()), -24)), 128), func(bit int) {
		_ = get(v.Load(ctx))(t)
		must(t, v.Store(ctx, wide{A: 2}))
		_ = v.Update(ctx, func(*wide) error { return nil })
		ended("value", bit)
	})
	m := mutex(t)
	flips(mp.BodyOf(m, 32), func(bit int) {
		if ok, err := m.TryLock(ctx); ok && err == nil {
			m.Unlock()
		}
		if m.Lock(ctx) == nil {
			m.Unlock()
		}
		_ = m.Repair(ctx, func() error { return nil })
		ended("mutex", bit)
	})
	a := closing(t, get(mp.ArrayOf(wide{A: 1}, wide{}))(t))
	flips(mp.BodyOf(a, 400), func(bit int) {
		_ = a.Load(1)
		a.Store(1, wide{})
		_ = a.View(ctx, func([]wide) error { return nil })
		_ = a.Update(ctx, func([]wide) error { return nil })
		_ = a.Repair(ctx, func([]wide) error { return nil })
		ended("array", bit)
	})
	x, y := pipe[int, int](t)
	must(t, x.Send(ctx, 1))
	flips(mp.BodyOf(x, 5000), func(bit int) {
		if bit%11 != 0 && (bit < 2*8*640 || bit > 8*1400) {
			return // a sample: ring and table flip each bit of theirs
		}
		_, _ = y.TryRecv()
		if c, err := y.Clone(); err == nil {
			_ = c.Close()
		}
		ended("pipe", bit)
	})
}
