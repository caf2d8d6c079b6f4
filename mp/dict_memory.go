package mp

import (
	"context"
	"runtime"
	"unsafe"

	"multiproc/internal/cell"
	"multiproc/internal/complete"
	"multiproc/internal/dict"
	"multiproc/internal/local"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// nearDict is a dict in memory whose keys and values are scalars. Its calls go to the
// structure in memory and not through bytes; what is no scalar goes the way of all.
type nearDict struct {
	o    local.Engine
	d    *dict.Dict
	k, v scalar
}

// nearOf is that of an object; nil if it has none.
func nearOf[K comparable, V any](obj driver.Object) *nearDict {
	o, ok := complete.Bare(obj).(local.DictEngine)
	n := &nearDict{o: o, k: scalarOf[K](), v: scalarOf[V]()}
	if !ok || !n.k.isKey() || n.v == noScalar {
		return nil
	}
	n.d = o.Dict()
	return n
}

// word is the word that a key is; 0 if it is none.
func (n *nearDict) word(key unsafe.Pointer) uint64 {
	if n.k >= scalarFloat64 {
		return 0
	}
	c, _ := n.k.cell(key, nil)
	return c.Word
}

// getWord is get where key and value are words.
func (n *nearDict) getWord(ctx context.Context, key, v unsafe.Pointer) (done bool) {
	w := n.word(key)
	if w == 0 || n.v >= scalarFloat64 || ctx.Err() != nil {
		return false
	}
	h := n.o.Hold()
	if h == nil {
		return false
	}
	value, version, ok := n.d.GetWord(w)
	runtime.KeepAlive(h)
	return ok && version != 0 && n.v.value(cell.Cell{Word: value}, v)
}

// small is how many bytes of a key or a value need no allocation.
const small = 128

// get is Get. done is false if the call has to go the other way.
func (n *nearDict) get(ctx context.Context, key, v unsafe.Pointer) (done bool, err error) {
	var kbuf, vbuf [small]byte
	c, ok := n.k.cell(key, kbuf[:0])
	if !ok || ctx.Err() != nil {
		return false, nil
	}
	h := n.o.Hold()
	if h == nil {
		return false, nil
	}
	k := n.d.Key(c, nil)
	f, err := n.d.Get(ctx, &k, vbuf[:0])
	runtime.KeepAlive(h)
	switch {
	case err != nil:
		return true, n.o.Named(err)
	case f.Version == 0:
		return true, n.o.Named(mperr.ErrNoKey)
	}
	return n.v.value(f.Value, v), nil
}

// has is Has.
func (n *nearDict) has(ctx context.Context, key unsafe.Pointer) (has, done bool, err error) {
	var kbuf, vbuf [small]byte
	c, ok := n.k.cell(key, kbuf[:0])
	if !ok || ctx.Err() != nil {
		return false, false, nil
	}
	h := n.o.Hold()
	if h == nil {
		return false, false, nil
	}
	k := n.d.Key(c, nil)
	f, err := n.d.Get(ctx, &k, vbuf[:0])
	runtime.KeepAlive(h)
	return f.Version != 0, true, n.o.Named(err)
}

// setWord is set where key and value are words, and the key is there.
func (n *nearDict) setWord(ctx context.Context, key, v unsafe.Pointer) (done bool) {
	w := n.word(key)
	if w == 0 || n.v >= scalarFloat64 || ctx.Err() != nil {
		return false
	}
	c, ok := n.v.cell(v, nil)
	if !ok {
		return false
	}
	h := n.o.Hold()
	if h == nil {
		return false
	}
	done = n.d.SetWord(w, c.Word)
	runtime.KeepAlive(h)
	return done
}

// set is Set.
func (n *nearDict) set(ctx context.Context, key, v unsafe.Pointer) (done bool, err error) {
	var kbuf, vbuf [small]byte
	kc, ok := n.k.cell(key, kbuf[:0])
	if !ok || ctx.Err() != nil {
		return false, nil
	}
	vc, ok := n.v.cell(v, vbuf[:0])
	if !ok || !n.o.Enter() {
		return false, nil
	}
	k := n.d.Key(kc, nil)
	_, err = n.d.Set(ctx, &k, vc, dict.Always)
	n.o.Exit()
	return true, n.o.Named(err)
}
