package mp

import (
	"context"

	"multiproc/internal/portable"
	"multiproc/mp/driver"
)

// Dict is a shared map, in the order in which keys were first set: what
// Python's manager.dict() is. It lives in a place; each method is one round
// trip and happens at one moment there, beside those of everybody else:
//
//	n, err := stock.Add(ctx, "apples", -1) // never loses what others add
//
// Keys and values are of any type whose values can travel; see In for what
// they are in the place. Two keys are the same if Python calls them equal: 1
// and 1.0, but not 1 and "1". Where programs have put values of several types,
// V is any. Values may be, or hold, handles of objects in the same place, and
// those stay shared: a Dict[string, *List[int]] holds lists that everybody
// appends to. A handle that a method returns is the caller's to close.
//
// A pointer to a Dict may travel to other processes; all handles share the
// dict. The zero Dict is not usable. After an error nothing was changed, unless
// it wraps ErrUnknownFate, or says of Add or of a Pop that what came of it is no
// V: then the sum is there, and what was taken is gone.
type Dict[K comparable, V any] struct {
	remote[driver.Dict]
	k *portable.Type[K]
	v *portable.Type[V]
}

// Entry is a key of a Dict with its value.
type Entry[K comparable, V any] struct {
	Key   K
	Value V
}

// NewDict makes an empty dict in the place that In names, or finds the one
// that has the name of WithName.
func NewDict[K comparable, V any](opts ...Option) (*Dict[K, V], error) {
	d := &Dict[K, V]{}
	return made(d, newInPlace(d, driver.KindDict, opts))
}

func (d *Dict[K, V]) plan() (err error) {
	if d.k, err = portable.ForKey[K](); err == nil {
		d.v, err = portable.For[V]()
	}
	return err
}

func (d *Dict[K, V]) open(obj driver.Object) error {
	if err := d.plan(); err != nil {
		_ = obj.Close()
		return err
	}
	return d.remote.open(obj)
}

// at is the dict and the key as it is there.
func (d *Dict[K, V]) at(ctx context.Context, key K) (driver.Dict, []byte, error) {
	o, err := d.access()
	if err != nil {
		return nil, nil, err
	}
	k, err := encode(ctx, o, d.k, key)
	return o, k, err
}

// with is at, with a value.
func (d *Dict[K, V]) with(ctx context.Context, key K, v V) (o driver.Dict, k, b []byte, err error) {
	if o, k, err = d.at(ctx, key); err == nil {
		b, err = encode(ctx, o, d.v, v)
	}
	return o, k, b, err
}

// Get returns the value of a key, or an error that wraps ErrNoKey.
func (d *Dict[K, V]) Get(ctx context.Context, key K) (v V, err error) {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return v, err
	}
	now, err := o.Get(ctx, k)
	if err != nil {
		return v, err
	}
	return decode(ctx, o, d.v, now.Value)
}

// Set sets the value of a key. A key that is there keeps its place in the
// order.
func (d *Dict[K, V]) Set(ctx context.Context, key K, v V) error {
	o, k, b, err := d.with(ctx, key, v)
	if err != nil {
		return err
	}
	return o.Set(ctx, k, b)
}

// SetAll sets all entries of m at one moment: Python's update.
func (d *Dict[K, V]) SetAll(ctx context.Context, m map[K]V) error {
	o, err := d.access()
	if err != nil {
		return err
	}
	keys, values := make([][]byte, 0, len(m)), make([][]byte, 0, len(m))
	for key, v := range m {
		_, k, b, err := d.with(ctx, key, v)
		if err != nil {
			return err
		}
		keys, values = append(keys, k), append(values, b)
	}
	return o.SetAll(ctx, keys, values)
}

// SetDefault returns the value of a key, which becomes v if there was none.
func (d *Dict[K, V]) SetDefault(ctx context.Context, key K, v V) (now V, err error) {
	o, k, b, err := d.with(ctx, key, v)
	if err != nil {
		return now, err
	}
	if b, err = o.SetDefault(ctx, k, b); err != nil {
		return now, err
	}
	return decode(ctx, o, d.v, b)
}

// Add adds delta to the value of a key, which counts as 0 if there is none,
// and returns the sum. Strings and lists are appended to. The error wraps
// ErrType if there is no such sum. Numbers do not wrap: the value becomes the
// sum, also where V is too small for it and Add returns an error that says so.
func (d *Dict[K, V]) Add(ctx context.Context, key K, delta V) (sum V, err error) {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return sum, err
	}
	return addAt(ctx, o, d.v, delta, func(b []byte) ([]byte, error) { return o.Add(ctx, k, b) })
}

// CompareAndSwap sets the value of a key to v if it equals old, as Python
// compares, and reports whether it did. It did not if there is no such key;
// SetDefault sets those.
func (d *Dict[K, V]) CompareAndSwap(ctx context.Context, key K, old, v V) (bool, error) {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return false, err
	}
	return swapAt(ctx, o, d.v, old, v, func(a, b []byte) (bool, error) { return o.CompareAndSwap(ctx, k, a, b) })
}

// Update changes the value of a key by f, with no change by others in between;
// a key that is not there starts from the zero value. f is called again, on
// what the value is by then, if somebody has changed it meanwhile, until ctx
// ends: it should have no other effect than on its argument, which it must not
// keep. If f returns an error, nothing is changed. Handles in the value that
// came from the place are closed when the change is made.
//
// Cost: two round trips, and again as many for each change of somebody else
// that came between. Where Add or CompareAndSwap will do, they cost one.
func (d *Dict[K, V]) Update(ctx context.Context, key K, f func(*V) error) error {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return err
	}
	return update(ctx, spot{
		obj: o,
		get: func(ctx context.Context) (driver.Versioned, error) { return o.Get(ctx, k) },
		set: func(ctx context.Context, v []byte, version uint64) (bool, error) {
			return o.SetVersion(ctx, k, v, version)
		},
	}, d.v, f)
}

// Delete takes a key out, and reports whether it was there.
func (d *Dict[K, V]) Delete(ctx context.Context, key K) (bool, error) {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return false, err
	}
	return o.Delete(ctx, k)
}

// Pop takes a key out and returns its value, or an error that wraps ErrNoKey.
func (d *Dict[K, V]) Pop(ctx context.Context, key K) (v V, err error) {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return v, err
	}
	b, err := o.Pop(ctx, k)
	if err != nil {
		return v, err
	}
	return taken(ctx, o, d.v, b)
}

// PopItem takes the last entry out, or returns an error that wraps ErrNoKey.
func (d *Dict[K, V]) PopItem(ctx context.Context) (key K, v V, err error) {
	o, err := d.access()
	if err != nil {
		return key, v, err
	}
	k, b, err := o.PopItem(ctx)
	if err != nil {
		return key, v, err
	}
	if key, err = taken(ctx, o, d.k, k); err != nil {
		return key, v, err
	}
	v, err = taken(ctx, o, d.v, b)
	return key, v, err
}

// Has reports whether a key is there.
func (d *Dict[K, V]) Has(ctx context.Context, key K) (bool, error) {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return false, err
	}
	return o.Has(ctx, k)
}

// Len is the number of keys.
func (d *Dict[K, V]) Len(ctx context.Context) (int, error) {
	o, err := d.access()
	if err != nil {
		return 0, err
	}
	return o.Len(ctx)
}

// Clear takes all keys out.
func (d *Dict[K, V]) Clear(ctx context.Context) error {
	o, err := d.access()
	if err != nil {
		return err
	}
	return o.Clear(ctx)
}
