package objects

import (
	"slices"
	"strings"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// namespace is Python's managers.Namespace, and a driver.Dict whose keys are
// texts.
type namespace struct{ mapping }

func namespaceType() *store.Type {
	return &store.Type{
		ID: "Namespace", Proxy: "NamespaceProxy", New: newNamespace,
		Exposed: []string{"__getattribute__", "__setattr__", "__delattr__"},
	}
}

func newNamespace(s *store.Store, args store.Args) (store.Object, error) {
	if n := len(args.Pos); n > 0 {
		return nil, tooMany("Namespace.__init__", nil, n)
	}
	ns := &namespace{mapping{account: accountOf(s, args), texts: true}}
	keys, vals, err := mergeArgs(s, "Namespace", args)
	if err == nil {
		err = ns.putAll(keys, vals)
	}
	if err != nil {
		return nil, err
	}
	return ns, nil
}

var namespaceClass = class[*namespace]{"Namespace", map[string]method[*namespace]{
	"__getattribute__": {slot(1), (*namespace).pyGet},
	"__setattr__":      {unpacked(2), (*namespace).pySet},
	"__delattr__":      {slot(1), (*namespace).pyDelete},
}}

// Call implements store.Object.
func (ns *namespace) Call(c *store.Call) {
	if isOurs(c) {
		mappingClass.call(&ns.mapping, c)
		return
	}
	namespaceClass.call(ns, c)
}

func notAName(key store.Item) error {
	return pyvalue.TypeError("attribute name must be string, not '" + pyvalue.TypeName(key.Value()) + "'")
}

// missing is the error for an attribute that is not there.
func (ns *namespace) missing(key store.Item) error {
	name, ok := key.Value().(string)
	if !ok {
		return notAName(key)
	}
	return pyvalue.AttributeError("Namespace", name)
}

func (ns *namespace) pyGet(c *store.Call, a []store.Item) (store.Item, error) {
	key := a[0]
	v, ok, err := ns.find(key)
	switch {
	case ok:
		return v, nil
	case err != nil:
		return none, notAName(key)
	}
	switch key.Value() {
	case "__class__":
		return store.Of(pyvalue.Global{Module: "multiprocessing.managers", Name: "Namespace"}), nil
	case "__dict__":
		return store.Of(ns.plain()), nil
	}
	return none, ns.missing(key)
}

func (ns *namespace) pySet(c *store.Call, a []store.Item) (store.Item, error) { return ns.goSet(c, a) }

func (ns *namespace) pyDelete(c *store.Call, a []store.Item) (store.Item, error) {
	key := a[0]
	_, ok, err := ns.pop(key)
	switch {
	case err != nil:
		return none, notAName(key)
	case !ok:
		return none, ns.missing(key)
	}
	return none, nil
}

// Repr implements store.Object. As in Python what begins with an underscore is
// not shown.
func (ns *namespace) Repr() string { return ns.ReprWithin(maxInt) }

// ReprWithin implements store.Abridged.
func (ns *namespace) ReprWithin(n int) string {
	keys, vals := ns.snapshot()
	var parts []string
	for i, k := range keys {
		if name := pyvalue.Str(k.Value()); !strings.HasPrefix(name, "_") {
			parts = append(parts, name+"="+pyvalue.ReprWithin(vals[i].Value(), runes(n)))
		}
	}
	slices.Sort(parts)
	return "Namespace(" + strings.Join(parts, ", ") + ")"
}

// Snapshot implements store.Object.
func (ns *namespace) Snapshot() (store.Item, bool) {
	return instance("Namespace", ns.plain().Entries...), true
}
