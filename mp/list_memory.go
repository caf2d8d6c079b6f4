package mp

import (
	"context"
	"runtime"
	"unsafe"

	"multiproc/internal/cell"
	"multiproc/internal/complete"
	"multiproc/internal/list"
	"multiproc/internal/local"
	"multiproc/mp/driver"
)

// nearList is a list in memory whose elements are scalars, as nearDict is a dict.
type nearList struct {
	o local.Engine
	l *list.List
	t scalar
}

// nearListOf is that of an object; nil if it has none.
func nearListOf[T any](obj driver.Object) *nearList {
	o, ok := complete.Bare(obj).(local.ListEngine)
	t := scalarOf[T]()
	if !ok || t == noScalar {
		return nil
	}
	return &nearList{o, o.List(), t}
}

// getWord is get where the element is a word.
func (n *nearList) getWord(ctx context.Context, i int, v unsafe.Pointer) (done bool) {
	if n.t >= scalarFloat64 || ctx.Err() != nil {
		return false
	}
	h := n.o.Hold()
	if h == nil {
		return false
	}
	w, ok := n.l.GetWord(i)
	runtime.KeepAlive(h)
	return ok && n.t.value(cell.Cell{Word: w}, v)
}

// get is Get. done is false if the call has to go the other way.
func (n *nearList) get(ctx context.Context, i int, v unsafe.Pointer) (done bool, err error) {
	var buf [small]byte
	if ctx.Err() != nil {
		return false, nil
	}
	h := n.o.Hold()
	if h == nil {
		return false, nil
	}
	f, err := n.l.Get(ctx, i, buf[:0])
	runtime.KeepAlive(h)
	switch {
	case err != nil:
		return true, n.o.Named(err)
	case f.Version == 0:
		return true, n.o.Named(local.ErrNoItem)
	}
	return n.t.value(f.Value, v), nil
}

// set is Set.
func (n *nearList) set(ctx context.Context, i int, v unsafe.Pointer) (done bool, err error) {
	var buf [small]byte
	c, ok := n.t.cell(v, buf[:0])
	if !ok || ctx.Err() != nil || !n.o.Enter() {
		return false, nil
	}
	_, there, err := n.l.Set(ctx, i, c, list.Always)
	n.o.Exit()
	if err == nil && !there {
		return true, n.o.Named(local.ErrNoItemToSet)
	}
	return true, n.o.Named(err)
}

// append is Append.
func (n *nearList) append(ctx context.Context, v unsafe.Pointer) (done bool, err error) {
	var buf [small]byte
	c, ok := n.t.cell(v, buf[:0])
	if !ok || ctx.Err() != nil {
		return false, nil
	}
	if c.Word != 0 {
		if h := n.o.Hold(); h != nil {
			done = n.l.AppendWord(c.Word)
			runtime.KeepAlive(h)
		}
		if done {
			return true, nil
		}
	}
	if !n.o.Enter() {
		return false, nil
	}
	err = n.l.Append(ctx, c)
	n.o.Exit()
	return true, n.o.Named(err)
}
