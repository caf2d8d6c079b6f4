package mp

import (
	"context"
	"runtime"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
)

// Load returns the value. In memory it never waits. It panics if the handle
// was closed, and in a place if that does not answer; see Get.
func (v *Value[T]) Load() (x T) {
	c := v.p.Load()
	if c == nil {
		if v.far != nil {
			return v.far.load()
		}
		panic(v.errGone())
	}
	v.read(&x)
	runtime.KeepAlive(c)
	return x
}

// read copies the value to x and returns what tells whether it has changed
// since: the word itself, or the version.
func (v *Value[T]) read(x *T) (seen uint64) {
	if v.version == nil {
		w := atomic.LoadUint64((*uint64)(v.slot[0]))
		*x = *(*T)(unsafe.Pointer(&w))
		return w
	}
	for {
		n := atomic.LoadUint64(v.version)
		*x = *(*T)(v.slot[n&1])
		fence.LoadLoad()
		// A writer touches this slot only after the version has moved on.
		if atomic.LoadUint64(v.version) == n {
			return n
		}
	}
}

// Store sets the value. It panics if the handle was closed, and in a place if
// that does not answer; see Set.
func (v *Value[T]) Store(x T) {
	if v.far != nil {
		v.far.store(x)
		return
	}
	if err := v.set(context.Background(), &x); err != nil {
		panic(err)
	}
}

func (v *Value[T]) set(ctx context.Context, x *T) error {
	c := v.p.Load()
	if c == nil {
		return v.errGone()
	}
	t := turn{word: v.turn, owner: &v.small, cell: c}
	err := t.await(ctx)
	if err == nil {
		_, err = v.write(ctx, x, 0, true)
	}
	runtime.KeepAlive(c)
	return err
}

// Update changes the value by f, with no other change in between:
// v.Update(ctx, func(x *int) error { *x++; return nil }). If f returns an error
// or panics, nothing is changed. If the process is killed inside f, nothing is
// changed and others go on. f must not keep its argument.
//
// Nobody waits for f, so it may be called several times: if somebody has changed
// the value meanwhile it is called again, on what the value is by then, until
// its change comes in time or ctx ends. So f should have no other effect than on
// its argument. An Update that has lost against others for a millisecond has the
// turn: the others hold back for up to 10 ms, and longer each time that this was
// not enough.
//
// Handles in the value that came from a place are closed when f's change is
// made.
//
// Cost: 15 to 40 ns, and f. In a place: two round trips, and again as many for
// each change of somebody else that came between.
func (v *Value[T]) Update(ctx context.Context, f func(*T) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := v.p.Load()
	if c == nil {
		if v.far != nil {
			return v.far.update(ctx, f)
		}
		return v.errGone()
	}
	x := v.scratch.Swap(nil)
	if x == nil {
		x = new(T) // the first, or another goroutine is at it
	}
	var done, lost bool
	var err error
	if atomic.LoadUint64(v.turn) == 0 {
		seen := v.read(x)
		failpoint.Hit("value.copied")
		if err = f(x); err == nil {
			done, err = v.write(ctx, x, seen, false)
			lost = !done
		}
	}
	if err == nil && !done {
		err = v.contend(ctx, x, f, c, lost)
	}
	v.scratch.Store(x)
	runtime.KeepAlive(c)
	return err
}

// contend is Update while others change the value too, and may have done so when
// it was tried for the first time.
func (v *Value[T]) contend(ctx context.Context, x *T, f func(*T) error, c *cell, lost bool) (err error) {
	t := turn{word: v.turn, owner: &v.small, cell: c}
	for done := false; err == nil && !done; {
		if lost {
			err = t.lost(ctx)
		}
		if err == nil {
			done, err = v.tryUpdate(ctx, x, f, &t)
			lost = !done
		}
	}
	if t.mine != 0 {
		t.end()
	}
	return err
}

func (v *Value[T]) tryUpdate(ctx context.Context, x *T, f func(*T) error, t *turn) (done bool, err error) {
	if err := t.await(ctx); err != nil {
		return false, err
	}
	seen := v.read(x)
	failpoint.Hit("value.copied")
	returned := false
	if t.mine != 0 {
		defer t.endUnless(&returned)
	}
	err = f(x)
	returned = true
	if err != nil {
		return false, err
	}
	return v.write(ctx, x, seen, false)
}

// write makes x the value, by one store: if it is what was seen, or anyway.
func (v *Value[T]) write(ctx context.Context, x *T, seen uint64, anyway bool) (done bool, err error) {
	if v.version == nil {
		var w uint64
		*(*T)(unsafe.Pointer(&w)) = *x
		failpoint.Hit("value.prepared")
		if done = anyway; anyway {
			atomic.StoreUint64((*uint64)(v.slot[0]), w)
		} else {
			done = atomic.CompareAndSwapUint64((*uint64)(v.slot[0]), seen, w)
		}
		failpoint.Hit("value.published")
		return done, nil
	}
	// A dead owner leaves nothing to mend.
	if _, err := v.lock.Hold(ctx); err != nil {
		return false, err
	}
	n := *v.version
	if done = anyway || n == seen; done {
		*(*T)(v.slot[1-n&1]) = *x
		failpoint.Hit("value.prepared")
		fence.StoreRelease64(v.version, n+1)
		failpoint.Hit("value.published")
	}
	v.lock.Free().Do()
	return done, nil
}
