package objects

import (
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// value is Python's managers.Value, and driver.Value.
type value struct {
	code store.Item // the type code, which is only for show

	guarded // guards all of the following
	account
	v       store.Item
	version uint64
}

func valueType() *store.Type {
	return &store.Type{ID: "Value", Proxy: "ValueProxy", Exposed: []string{"get", "set"}, New: newValue}
}

// valueCost is what a value takes beside what it holds.
const valueCost = 128

func newValue(s *store.Store, args store.Args) (store.Object, error) {
	a, err := bindArgs("Value.__init__", args, "typecode", "value", "lock?")
	if err != nil {
		return nil, err
	}
	o := &value{account: accountOf(s, args), code: own(a[0]), v: own(a[1]), version: 1}
	if err := o.charge(valueCost + o.v.Size() + o.code.Size()); err != nil {
		return nil, err
	}
	return o, nil
}

var valueClass = class[*value]{"Value", map[string]method[*value]{
	"get": {function().in("Value"), (*value).pyGet},
	"set": {function("value").in("Value"), (*value).pySet},

	"mp.get":            {ours(0), (*value).goGet},
	"mp.set":            {ours(1), (*value).goSet},
	"mp.setVersion":     {ours(2), (*value).goSetVersion},
	"mp.compareAndSwap": {ours(2), (*value).goCompareAndSwap},
	"mp.add":            {ours(1), (*value).goAdd},
}}

// Call implements store.Object.
func (o *value) Call(c *store.Call) { valueClass.call(o, c) }

// now is the value at this moment.
func (o *value) now() (store.Item, uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.v, o.version
}

// put sets the value; the mutex is held.
func (o *value) put(v store.Item) error {
	if err := o.charge(v.Size() - o.v.Size()); err != nil {
		return err
	}
	o.v = v
	o.version++
	return nil
}

// putIf sets the value if may says so.
func (o *value) putIf(v store.Item, may func() (bool, error)) (store.Item, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ok, err := may(); !ok || err != nil {
		return no, err
	}
	return yes, o.put(v)
}

func always() (bool, error) { return true, nil }

func (o *value) pyGet(c *store.Call, a []store.Item) (store.Item, error) {
	v, _ := o.now()
	return v, nil
}

func (o *value) pySet(c *store.Call, a []store.Item) (store.Item, error) {
	_, err := o.putIf(a[0], always)
	return none, err
}

func (o *value) goGet(c *store.Call, a []store.Item) (store.Item, error) {
	v, version := o.now()
	return join(c, v, uintItem(version)), nil
}

func (o *value) goSet(c *store.Call, a []store.Item) (store.Item, error) {
	_, err := o.putIf(a[0], always)
	return none, err
}

func (o *value) goSetVersion(c *store.Call, a []store.Item) (store.Item, error) {
	version, err := versionArg(a[1])
	if err != nil {
		return none, err
	}
	return o.putIf(a[0], func() (bool, error) { return o.version == version, nil })
}

func (o *value) goCompareAndSwap(c *store.Call, a []store.Item) (store.Item, error) {
	old := newMatcher(a[0])
	return o.putIf(own(a[1]), func() (bool, error) { return old.equals(o.v) })
}

func (o *value) goAdd(c *store.Call, a []store.Item) (store.Item, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v, err := plus(o.v, a[0])
	if err == nil {
		err = o.put(v)
	}
	return v, err
}

// Refs implements store.Object.
func (o *value) Refs(yield func(id uint64) bool) {
	v, _ := o.now()
	v.Refs(yield)
}

// Repr implements store.Object.
func (o *value) Repr() string { return o.ReprWithin(maxInt) }

// ReprWithin implements store.Abridged.
func (o *value) ReprWithin(n int) string {
	v, _ := o.now()
	return "Value(" + pyvalue.ReprWithin(o.code.Value(), runes(n)) + ", " + pyvalue.ReprWithin(v.Value(), runes(n)) + ")"
}

// Snapshot implements store.Object.
func (o *value) Snapshot() (store.Item, bool) {
	v, _ := o.now()
	return instance("Value", pyvalue.Entry{Key: "_typecode", Value: o.code.Value()}, pyvalue.Entry{Key: "_value", Value: v.Value()}), true
}

// instance is how Python pickles an instance of a class of its managers.
func instance(class string, attributes ...pyvalue.Entry) store.Item {
	o := &pyvalue.Object{Func: pyvalue.Global{Module: "multiprocessing.managers", Name: class}, Args: pyvalue.Tuple{}, New: true}
	if len(attributes) > 0 {
		o.State, o.HasState = &pyvalue.Dict{Entries: attributes}, true
	}
	return store.Of(o)
}

// Dispose implements store.Object.
func (o *value) Dispose() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.close()
}
