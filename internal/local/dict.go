package local

import (
	"context"
	"fmt"
	"time"

	"multiproc/internal/cell"
	"multiproc/internal/dict"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// dictionary implements driver.Dict, for dicts and namespaces.
type dictionary struct {
	object
	d     *dict.Dict // apart: resident locks are kept, the handle must not be
	texts bool       // keys are texts: a namespace
}

var (
	_ driver.Dict           = (*dictionary)(nil)
	_ driver.DictFinder     = (*dictionary)(nil)
	_ driver.DictItemPopper = (*dictionary)(nil)
	_ driver.DictBatcher    = (*dictionary)(nil)
	_ driver.DictClearer    = (*dictionary)(nil)
	_ driver.DictKeyPager   = (*dictionary)(nil)
	_ driver.DictExpirer    = (*dictionary)(nil)
	_ driver.DictWatcher    = (*dictionary)(nil)
)

// dictBits is how many bits choose a shard of a dict, namespaceBits of a namespace, which
// mostly has few attributes.
const (
	dictBits      = dict.MaxBits
	namespaceBits = 2
)

// DictEngine is a dict for callers who know its types.
type DictEngine interface {
	Engine
	Dict() *dict.Dict
}

var _ DictEngine = (*dictionary)(nil)

func (d *dictionary) Dict() *dict.Dict { return d.d }

// textsParam is which parameter of a segment says that keys are texts; the others are
// those of dict.Config.
const textsParam = 3

func newDict(p *Place, seg *shm.Segment) (*dictionary, error) {
	d := &dictionary{d: &dict.Dict{}, texts: seg.Params[textsParam] != 0}
	d.d.Family = p.Members()
	if err := d.open(p, seg, d.d); err != nil {
		return nil, err
	}
	if d.d.NoValues {
		_ = d.Memory.Close()
		return nil, fmt.Errorf("%s %s: its entries have no values: %w", seg.Kind, seg.ID, mperr.ErrCorrupt)
	}
	return d, nil
}

// key makes a key of an item.
func (d *dictionary) key(item []byte) (dict.Key, error) {
	k, err := interchange.Keyed(item)
	if err != nil {
		return dict.Key{}, fmt.Errorf("%s: %w", d, err)
	}
	if k.Doubt {
		return dict.Key{}, fmt.Errorf("%s: whether such a key equals another can only be told by Python; a manager can keep it: %w", d, mperr.ErrType)
	}
	if d.texts {
		v, err := interchange.ParseValue(item)
		if _, ok := v.(string); err == nil && !ok {
			return dict.Key{}, fmt.Errorf("%s: %w", d, pyvalue.TypeError("attribute name must be string, not '"+pyvalue.TypeName(v)+"'"))
		}
	}
	if k.Key == string(item) {
		return d.d.Key(cell.Of(item), nil), nil
	}
	return d.d.Key(cell.Of([]byte(k.Key)), item), nil
}

// at begins a call about a key.
func (d *dictionary) at(ctx context.Context, key []byte) (k dict.Key, err error) {
	if k, err = d.key(key); err == nil {
		err = d.enter(ctx)
	}
	return k, err
}

func (d *dictionary) Get(ctx context.Context, key []byte) (v driver.Versioned, err error) {
	k, err := d.at(ctx, key)
	if err != nil {
		return v, err
	}
	defer d.Exit()
	f, err := d.d.Get(ctx, &k, nil)
	switch {
	case err != nil:
		return v, d.named(err)
	case f.Version == 0:
		return v, d.named(mperr.ErrNoKey)
	}
	return driver.Versioned{Value: f.Value.Append(nil), Version: f.Version}, nil
}

func (d *dictionary) Has(ctx context.Context, key []byte) (bool, error) {
	k, err := d.at(ctx, key)
	if err != nil {
		return false, err
	}
	defer d.Exit()
	f, err := d.d.Get(ctx, &k, nil)
	return f.Version != 0, d.named(err)
}

func (d *dictionary) Set(ctx context.Context, key, v []byte) error {
	k, err := d.at(ctx, key)
	if err != nil {
		return err
	}
	defer d.Exit()
	_, err = d.d.Set(ctx, &k, cell.Of(v), dict.Always)
	return d.named(err)
}

func (d *dictionary) SetFor(ctx context.Context, key, v []byte, ttl time.Duration) error {
	k, err := d.at(ctx, key)
	if err != nil {
		return err
	}
	defer d.Exit()
	return d.named(d.d.SetFor(ctx, &k, cell.Of(v), ttl))
}

func (d *dictionary) SetVersion(ctx context.Context, key, v []byte, version uint64) (ok bool, err error) {
	k, err := d.at(ctx, key)
	if err != nil {
		return false, err
	}
	defer d.Exit()
	switch {
	case version == dict.Always: // which no entry ever has
	case v != nil:
		ok, err = d.d.Set(ctx, &k, cell.Of(v), version)
	case version != 0:
		ok, err = d.d.Delete(ctx, &k, version)
	default: // no entry is to become none
		var f dict.Found
		f, err = d.d.Get(ctx, &k, nil)
		ok = err == nil && f.Version == 0
	}
	return ok, d.named(err)
}

func (d *dictionary) Delete(ctx context.Context, key []byte) (bool, error) {
	k, err := d.at(ctx, key)
	if err != nil {
		return false, err
	}
	defer d.Exit()
	ok, err := d.d.Delete(ctx, &k, dict.Always)
	return ok, d.named(err)
}

func (d *dictionary) Len(ctx context.Context) (int, error) {
	if err := d.enter(ctx); err != nil {
		return 0, err
	}
	defer d.Exit()
	n, err := d.d.Len(ctx)
	return n, d.named(err)
}

func (d *dictionary) Clear(ctx context.Context) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.Exit()
	return d.named(d.d.Clear(ctx))
}

func (d *dictionary) PopItem(ctx context.Context) (key, v []byte, err error) {
	if err := d.enter(ctx); err != nil {
		return nil, nil, err
	}
	defer d.Exit()
	e, ok, err := d.d.PopItem(ctx)
	if err == nil && !ok {
		err = mperr.ErrNoKey
	}
	if err != nil {
		return nil, nil, d.named(err)
	}
	return e.Key.Append(nil), e.Value.Append(nil), nil
}

func (d *dictionary) SetAll(ctx context.Context, keys, vs [][]byte) error {
	if len(keys) != len(vs) {
		return fmt.Errorf("%s: %d keys and %d values: %w", d, len(keys), len(vs), mperr.ErrValue)
	}
	changes := make([]dict.Change, len(keys))
	for i := range keys {
		k, err := d.key(keys[i])
		if err != nil {
			return err
		}
		changes[i] = dict.Change{Key: k, Value: cell.Of(vs[i])}
	}
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.Exit()
	_, _, err := d.d.Batch(ctx, changes)
	return d.named(err)
}

func (d *dictionary) Page(ctx context.Context, cursor uint64, limit int) (keys, vs [][]byte, next uint64, err error) {
	entries, next, err := d.entries(ctx, cursor, limit)
	for i := range entries {
		keys, vs = append(keys, entries[i].Key.Append(nil)), append(vs, entries[i].Value.Append(nil))
	}
	return keys, vs, next, err
}

func (d *dictionary) PageKeys(ctx context.Context, cursor uint64, limit int) (keys [][]byte, next uint64, err error) {
	entries, next, err := d.entries(ctx, cursor, limit)
	for i := range entries {
		keys = append(keys, entries[i].Key.Append(nil))
	}
	return keys, next, err
}

func (d *dictionary) entries(ctx context.Context, cursor uint64, limit int) (page []dict.Entry, next uint64, err error) {
	if err := d.enter(ctx); err != nil {
		return nil, 0, err
	}
	defer d.Exit()
	if limit <= 0 {
		page, err = d.d.All(ctx)
		return page, 0, d.named(err)
	}
	page, err = d.d.Page(ctx, cursor, limit)
	if len(page) == limit {
		next = page[limit-1].Birth
	}
	return page, next, d.named(err)
}
