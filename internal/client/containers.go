package client

import (
	"context"
	"iter"
	"time"

	"multiproc/internal/complete"
	"multiproc/internal/frames"
	"multiproc/mp/driver"
)

// What the containers can do the server does: a method here is one call of the
// server's method of that name, with the arguments in order.

// container is what all of them have in common.
type container struct{ *handle }

func (c container) Len(ctx context.Context) (int, error) { return c.request("mp.len").number(ctx) }
func (c container) Clear(ctx context.Context) error      { return c.request("mp.clear").void(ctx) }

// cells are the operations on one value of a container: of a dict, which has it by
// a key, or of a list, which has it by an index.
type cells[K []byte | int] struct{ container }

func (c cells[K]) at(method string, k K) *request {
	r := c.request(method)
	switch k := any(k).(type) { // costs no memory: k does not escape
	case []byte:
		r.raw(k)
	case int:
		r.int(k)
	}
	return r
}

func (c cells[K]) Get(ctx context.Context, k K) (driver.Versioned, error) {
	return c.at("mp.get", k).versioned(ctx)
}

func (c cells[K]) Set(ctx context.Context, k K, v []byte) error {
	return c.at("mp.set", k).raw(v).void(ctx)
}

// SetVersion leaves out a value that is not there: null is None.
func (c cells[K]) SetVersion(ctx context.Context, k K, v []byte, version uint64) (bool, error) {
	r := c.at("mp.setVersion", k)
	if v != nil {
		r.raw(v)
	}
	return r.uint(version).truth(ctx)
}

func (c cells[K]) CompareAndSwap(ctx context.Context, k K, old, v []byte) (bool, error) {
	return c.at("mp.compareAndSwap", k).raw(old).raw(v).truth(ctx)
}

func (c cells[K]) Add(ctx context.Context, k K, delta []byte) ([]byte, error) {
	return c.at("mp.add", k).raw(delta).value(ctx)
}

func (c cells[K]) Pop(ctx context.Context, k K) ([]byte, error) {
	return c.at("mp.pop", k).value(ctx)
}

// dictHandle implements driver.Dict, for dicts and namespaces.
type dictHandle struct{ cells[[]byte] }

var _ complete.Dict = (*dictHandle)(nil)

// openDict adds the constructor's arguments to an open request of a dict: those of a time
// to live only where there is one. They are none that Python's dict has, so a server
// that knows none refuses them.
func openDict(r *request, spec driver.Spec) {
	if spec.TTL <= 0 {
		r.begin(0)
		return
	}
	r.begin(3).null().text("ttl").int(int(spec.TTL))
}

func (d *dictHandle) SetFor(ctx context.Context, key, v []byte, ttl time.Duration) error {
	return d.at("mp.setFor", key).raw(v).int(int(ttl)).void(ctx)
}

func (d *dictHandle) SetDefault(ctx context.Context, key, v []byte) ([]byte, error) {
	return d.at("mp.setDefault", key).raw(v).value(ctx)
}

func (d *dictHandle) Delete(ctx context.Context, key []byte) (bool, error) {
	return d.at("mp.delete", key).truth(ctx)
}

func (d *dictHandle) Has(ctx context.Context, key []byte) (bool, error) {
	return d.at("mp.has", key).truth(ctx)
}

func (d *dictHandle) PopItem(ctx context.Context) (key, v []byte, err error) {
	it, err := d.request("mp.popItem").array(ctx)
	if err != nil {
		return nil, nil, err
	}
	key, v = it.Next(), it.Next()
	if v == nil {
		return nil, nil, d.strange("mp.popItem")
	}
	return key, v, nil
}

func (d *dictHandle) SetAll(ctx context.Context, keys, vs [][]byte) error {
	return d.request("mp.setAll").list(keys).list(vs).void(ctx)
}

func (d *dictHandle) Page(ctx context.Context, cursor uint64, limit int) (keys, vs [][]byte, next uint64, err error) {
	it, err := d.request("mp.page").uint(cursor).int(limit).array(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	keys, err1 := splitItem(it.Next())
	vs, err2 := splitItem(it.Next())
	next, ok := frames.Uint(it.Next())
	if err1 != nil || err2 != nil || !ok || len(keys) != len(vs) {
		return nil, nil, 0, d.strange("mp.page")
	}
	return keys, vs, next, nil
}

func (d *dictHandle) PageKeys(ctx context.Context, cursor uint64, limit int) ([][]byte, uint64, error) {
	return d.pageItems(ctx, "mp.pageKeys", cursor, limit)
}

// pageItems asks for a page of an object's items.
func (c container) pageItems(ctx context.Context, method string, cursor uint64, limit int) (items [][]byte, next uint64, err error) {
	it, err := c.request(method).uint(cursor).int(limit).array(ctx)
	if err != nil {
		return nil, 0, err
	}
	items, err = splitItem(it.Next())
	next, ok := frames.Uint(it.Next())
	if err != nil || !ok {
		return nil, 0, c.strange(method)
	}
	return items, next, nil
}

func (d *dictHandle) Watch(ctx context.Context) iter.Seq2[driver.Change, error] {
	return watch(ctx, d.handle, parseChange)
}

// How a change of a dict is marked.
const (
	changeSet = iota
	changeDelete
	changeClear
)

// parseChange reads [op, key, value, version].
func parseChange(event []byte) (c driver.Change, err error) {
	it, _ := frames.Array(event)
	op, ok := frames.Uint(it.Next())
	key, v := it.Next(), it.Next()
	version, versionOK := frames.Uint(it.Next())
	if !ok || !versionOK || op > changeClear {
		return c, errStrange
	}
	c.Version = version
	if op != changeClear {
		c.Key = key
	}
	if op == changeSet {
		c.Value = v
	}
	return c, nil
}

// listHandle implements driver.List.
type listHandle struct{ cells[int] }

var _ complete.List = (*listHandle)(nil)

func (l *listHandle) Append(ctx context.Context, v []byte) error {
	return l.request("mp.append").raw(v).void(ctx)
}

func (l *listHandle) Extend(ctx context.Context, vs [][]byte) error {
	return l.request("mp.extend").list(vs).void(ctx)
}

func (l *listHandle) Insert(ctx context.Context, i int, v []byte) error {
	return l.at("mp.insert", i).raw(v).void(ctx)
}

func (l *listHandle) Delete(ctx context.Context, i int) error { return l.at("mp.delete", i).void(ctx) }

func (l *listHandle) Remove(ctx context.Context, v []byte) error {
	return l.request("mp.remove").raw(v).void(ctx)
}

func (l *listHandle) Index(ctx context.Context, v []byte, start, stop int) (int, error) {
	return l.request("mp.index").raw(v).int(start).int(stop).number(ctx)
}

func (l *listHandle) Count(ctx context.Context, v []byte) (int, error) {
	return l.request("mp.count").raw(v).number(ctx)
}

func (l *listHandle) Has(ctx context.Context, v []byte) (bool, error) {
	return l.request("mp.has").raw(v).truth(ctx)
}

func (l *listHandle) Reverse(ctx context.Context) error { return l.request("mp.reverse").void(ctx) }

func (l *listHandle) Sort(ctx context.Context, reverse bool) error {
	return l.request("mp.sort").bool(reverse).void(ctx)
}

func (l *listHandle) Repeat(ctx context.Context, n int) error {
	return l.request("mp.repeat").int(n).void(ctx)
}

// slice begins a call that concerns a slice.
func (l *listHandle) slice(method string, start, stop, step *int) *request {
	return l.request(method).optional(start).optional(stop).optional(step)
}

func (l *listHandle) Slice(ctx context.Context, start, stop, step *int) ([][]byte, error) {
	return l.slice("mp.slice", start, stop, step).items(ctx)
}

func (l *listHandle) SetSlice(ctx context.Context, start, stop, step *int, vs [][]byte) error {
	return l.slice("mp.setSlice", start, stop, step).list(vs).void(ctx)
}

func (l *listHandle) DeleteSlice(ctx context.Context, start, stop, step *int) error {
	return l.slice("mp.deleteSlice", start, stop, step).void(ctx)
}

func (l *listHandle) Watch(ctx context.Context) iter.Seq2[driver.ListChange, error] {
	return watch(ctx, l.handle, parseListChange)
}

// parseListChange reads [op, index, value, version, has a value].
func parseListChange(event []byte) (c driver.ListChange, err error) {
	it, _ := frames.Array(event)
	op, ok1 := frames.Text(it.Next())
	index, ok2 := frames.Int(it.Next())
	v := it.Next()
	version, ok3 := frames.Uint(it.Next())
	has, ok4 := frames.Bool(it.Next())
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return c, errStrange
	}
	c = driver.ListChange{Op: string(op), Index: int(index), Version: version}
	if has {
		c.Value = v
	}
	return c, nil
}

// setHandle implements driver.Set.
type setHandle struct{ container }

var _ complete.Set = (*setHandle)(nil)

func (s *setHandle) Add(ctx context.Context, v []byte) (bool, error) {
	return s.request("mp.add").raw(v).truth(ctx)
}

func (s *setHandle) Remove(ctx context.Context, v []byte) (bool, error) {
	return s.request("mp.remove").raw(v).truth(ctx)
}

func (s *setHandle) Has(ctx context.Context, v []byte) (bool, error) {
	return s.request("mp.has").raw(v).truth(ctx)
}

func (s *setHandle) Pop(ctx context.Context) ([]byte, error) { return s.request("mp.pop").value(ctx) }

func (s *setHandle) AddAll(ctx context.Context, vs [][]byte) (int, error) {
	return s.request("mp.addAll").list(vs).number(ctx)
}

func (s *setHandle) RemoveAll(ctx context.Context, vs [][]byte) (int, error) {
	return s.request("mp.removeAll").list(vs).number(ctx)
}

func (s *setHandle) Retain(ctx context.Context, vs [][]byte) (int, error) {
	return s.request("mp.retain").list(vs).number(ctx)
}

func (s *setHandle) Page(ctx context.Context, cursor uint64, limit int) ([][]byte, uint64, error) {
	return s.pageItems(ctx, "mp.page", cursor, limit)
}

// valueHandle implements driver.Value.
type valueHandle struct{ *handle }

var _ complete.Value = (*valueHandle)(nil)

func (v *valueHandle) Get(ctx context.Context) (driver.Versioned, error) {
	return v.request("mp.get").versioned(ctx)
}

func (v *valueHandle) Set(ctx context.Context, x []byte) error {
	return v.request("mp.set").raw(x).void(ctx)
}

func (v *valueHandle) SetVersion(ctx context.Context, x []byte, version uint64) (bool, error) {
	return v.request("mp.setVersion").raw(x).uint(version).truth(ctx)
}

func (v *valueHandle) CompareAndSwap(ctx context.Context, old, x []byte) (bool, error) {
	return v.request("mp.compareAndSwap").raw(old).raw(x).truth(ctx)
}

func (v *valueHandle) Add(ctx context.Context, delta []byte) ([]byte, error) {
	return v.request("mp.add").raw(delta).value(ctx)
}
