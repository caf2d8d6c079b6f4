package client

import (
	"context"
	"iter"

	"multiproc/internal/frames"
	"multiproc/mp/driver"
)

// dictHandle implements driver.Dict, for dicts and namespaces.
type dictHandle struct{ *handle }

var _ driver.Dict = (*dictHandle)(nil)

func (d *dictHandle) Get(ctx context.Context, key []byte) (driver.Versioned, error) {
	return d.request("mp.get").raw(key).versioned(ctx)
}

func (d *dictHandle) Set(ctx context.Context, key, v []byte) error {
	return d.request("mp.set").raw(key).raw(v).void(ctx)
}

// SetVersion leaves out a value that is not there: null is None.
func (d *dictHandle) SetVersion(ctx context.Context, key, v []byte, version uint64) (bool, error) {
	r := d.request("mp.setVersion").raw(key)
	if v != nil {
		r.raw(v)
	}
	return r.uint(version).truth(ctx)
}

func (d *dictHandle) SetDefault(ctx context.Context, key, v []byte) ([]byte, error) {
	return d.request("mp.setDefault").raw(key).raw(v).value(ctx)
}

func (d *dictHandle) CompareAndSwap(ctx context.Context, key, old, v []byte) (bool, error) {
	return d.request("mp.compareAndSwap").raw(key).raw(old).raw(v).truth(ctx)
}

func (d *dictHandle) Add(ctx context.Context, key, delta []byte) ([]byte, error) {
	return d.request("mp.add").raw(key).raw(delta).value(ctx)
}

func (d *dictHandle) Delete(ctx context.Context, key []byte) (bool, error) {
	return d.request("mp.delete").raw(key).truth(ctx)
}

func (d *dictHandle) Pop(ctx context.Context, key []byte) ([]byte, error) {
	return d.request("mp.pop").raw(key).value(ctx)
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

func (d *dictHandle) Has(ctx context.Context, key []byte) (bool, error) {
	return d.request("mp.has").raw(key).truth(ctx)
}

func (d *dictHandle) Len(ctx context.Context) (int, error) { return d.request("mp.len").number(ctx) }

func (d *dictHandle) Clear(ctx context.Context) error { return d.request("mp.clear").void(ctx) }

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
	return pageItems(ctx, d.handle, "mp.pageKeys", cursor, limit)
}

// pageItems asks for a page of an object's items.
func pageItems(ctx context.Context, h *handle, method string, cursor uint64, limit int) (items [][]byte, next uint64, err error) {
	it, err := h.request(method).uint(cursor).int(limit).array(ctx)
	if err != nil {
		return nil, 0, err
	}
	items, err = splitItem(it.Next())
	next, ok := frames.Uint(it.Next())
	if err != nil || !ok {
		return nil, 0, h.strange(method)
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
