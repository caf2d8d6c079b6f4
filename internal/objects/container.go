package objects

import (
	"fmt"
	"strings"

	"multiproc/internal/budget"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// containerTypes are the types that keep values, and what iterates over them.
func containerTypes() []*store.Type {
	return []*store.Type{listType(), dictType(), setType(), valueType(), arrayType(), namespaceType(), iteratorType()}
}

// isOurs reports whether a method is one of those for Go.
func isOurs(c *store.Call) bool { return strings.HasPrefix(c.Method, "mp.") }

// account is what a container has charged to its store. The object's mutex
// guards it.
type account struct {
	store  *store.Store
	payer  *budget.Share
	size   int
	closed bool
}

// accountOf is the account of an object that is made from these arguments.
func accountOf(s *store.Store, args store.Args) account {
	return account{store: s, payer: s.Payer(args)}
}

// charge counts delta bytes more, or less. Too many are a MemoryError, and not
// counted.
func (a *account) charge(delta int) error {
	if a.closed {
		return nil
	}
	if err := a.payer.Take(delta); err != nil {
		return memoryError(err)
	}
	a.size += delta
	return nil
}

// refund is charge for less, which cannot fail.
func (a *account) refund(bytes int) { _ = a.charge(-bytes) }

// close gives everything back. The contents stay, for iterators and for calls
// that are under way.
func (a *account) close() {
	_ = a.charge(-a.size)
	a.closed = true
}

func memoryError(cause error) error {
	e := &pyvalue.Exception{Class: pyvalue.Global{Module: "builtins", Name: "MemoryError"}, Cause: cause}
	if cause != nil {
		e.Args = pyvalue.Tuple{cause.Error()}
	}
	return e
}

// watchers are the calls of mp.watch. The object's mutex guards them.
type watchers struct {
	calls     []*store.Call
	places    map[*store.Call]int // where each stands in calls
	perClient map[store.Owner]int // how many each client has
}

// How many watches one object may have, and one client of an object: each change
// of it costs something for each of them.
const (
	maxWatches      = 1 << 10
	maxWatchesByOne = 1 << 8
)

// watch makes c hear of every change from now on, until its client cancels or
// is too slow. mu, the object's mutex, is not held.
func (w *watchers) watch(mu *store.Mutex, c *store.Call) (store.Item, error) {
	mu.Lock()
	defer mu.Unlock()
	switch {
	case w.perClient[c.Owner] >= maxWatchesByOne:
		return none, fmt.Errorf("watch: %w: this client watches the object %d times already; share one watch", mperr.ErrLimit, maxWatchesByOne)
	case len(w.calls) >= maxWatches:
		return none, fmt.Errorf("watch: %w: the object is watched %d times already", mperr.ErrLimit, maxWatches)
	}
	unpark := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return w.forget(c)
	}
	if c.Park(unpark) {
		if w.places == nil {
			w.places, w.perClient = map[*store.Call]int{}, map[store.Owner]int{}
		}
		w.places[c] = len(w.calls)
		w.perClient[c.Owner]++
		w.calls = append(w.calls, c)
	}
	return none, errAnswered
}

// forget takes a watch out; the last one takes its place.
func (w *watchers) forget(c *store.Call) bool {
	i, ok := w.places[c]
	if !ok {
		return false
	}
	last := len(w.calls) - 1
	w.calls[i] = w.calls[last]
	w.places[w.calls[i]] = i
	w.calls[last] = nil
	w.calls = w.calls[:last]
	delete(w.places, c)
	if w.perClient[c.Owner]--; w.perClient[c.Owner] == 0 {
		delete(w.perClient, c.Owner)
	}
	return true
}

// emit tells all watchers of a change: event makes the items that describe it.
// Who does not keep up is dropped.
func (w *watchers) emit(event func() []store.Item) {
	if len(w.calls) == 0 {
		return
	}
	change := store.Array(event()...)
	for i := len(w.calls) - 1; i >= 0; i-- { // forget changes what stands behind i
		if c := w.calls[i]; !c.Emit(change) {
			w.forget(c)
			c.Fail(fmt.Errorf("watch: %w", mperr.ErrOverrun))
		}
	}
}

// end is for the end of the object.
func (w *watchers) end() {
	for _, c := range w.calls {
		c.Fail(fmt.Errorf("watch: %w", mperr.ErrClosed))
	}
	*w = watchers{}
}

// join is a list of items as the caller's language wants it: Go can cut it
// into its elements.
func join(c *store.Call, items ...store.Item) store.Item {
	if !c.Python {
		return store.Array(items...)
	}
	return listItem(items)
}

// listItem is a Python list of items.
func listItem(items []store.Item) store.Item { return store.Of(&pyvalue.List{Items: values(items)}) }

func values(items []store.Item) []pyvalue.Value {
	out := make([]pyvalue.Value, len(items))
	for i, it := range items {
		if i > 0 && it.Is(items[i-1]) {
			out[i] = out[i-1] // one tree of all
			continue
		}
		out[i] = it.Value()
	}
	return out
}

// runes is how many bytes n characters may take, or as much as pyvalue.Repr
// writes at all.
func runes(n int) int { return 4 * min(n, 4<<20) }

// own returns an item that does not keep the memory of others alive with which
// it came.
func own(it store.Item) store.Item {
	return it.Own()
}

// batch is an argument of a method for Go that is a list of values, each of
// which stands alone.
func batch(it store.Item) ([]store.Item, error) {
	items, err := it.Items()
	if err != nil {
		return nil, pyvalue.TypeError("the argument must be a list: " + err.Error())
	}
	for i := range items {
		items[i] = own(items[i])
	}
	return items, nil
}

func sizeOf(items []store.Item) (size int) {
	for _, it := range items {
		size += it.Size()
	}
	return size
}

func uintItem(n uint64) store.Item { return store.Of(pyvalue.Uint(n)) }

// versionArg is an argument that is a version.
func versionArg(it store.Item) (uint64, error) {
	n, err := integer(it)
	if err == nil && n < 0 {
		err = pyvalue.ValueError("a version is not negative")
	}
	return uint64(n), err
}

// overflow is Python's OverflowError.
func overflow(text string) error {
	return pyvalue.Overflow(text)
}

// notImplemented is the value by which Python's operators decline.
var notImplemented = store.Of(pyvalue.Global{Module: "builtins", Name: "NotImplemented"})
