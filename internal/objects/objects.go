package objects

import (
	"slices"

	"multiproc/internal/store"
)

// Register makes all types of this package known to s.
func Register(s *store.Store) {
	for _, t := range slices.Concat(queueTypes(), syncTypes(), containerTypes(), poolTypes()) {
		s.Add(t)
	}
}

func syncTypes() []*store.Type {
	return slices.Concat(lockTypes(), semaphoreTypes(), conditionTypes(), eventTypes(), barrierTypes(), rwlockTypes(),
		waitGroupTypes(), onceTypes())
}

// The answers that need no memory.
var (
	none  = store.Of(nil)
	yes   = store.Of(true)
	no    = store.Of(false)
	small = [...]store.Item{store.Of(int64(0)), store.Of(int64(1)), store.Of(int64(2)), store.Of(int64(3))}
)

func boolItem(b bool) store.Item {
	if b {
		return yes
	}
	return no
}

func intItem(n int) store.Item {
	if n >= 0 && n < len(small) {
		return small[n]
	}
	return store.Of(int64(n))
}

// leaf has the parts of store.Object that most of these objects have in
// common: they contain nothing and cannot be copied.
type leaf struct{}

// Refs implements store.Object.
func (leaf) Refs(func(uint64) bool) {}

// Snapshot implements store.Object.
func (leaf) Snapshot() (store.Item, bool) { return store.Item{}, false }

// Dispose implements store.Object.
func (leaf) Dispose() {}

// answers are what is left to do when an object's mutex is free again.
type answers []func()

func (a answers) send() {
	for _, f := range a {
		f()
	}
}

// guarded is the mutex of an object. A call that panics breaks it.
type guarded struct{ mu store.Mutex }

// Break implements store.Breakable.
func (g *guarded) Break(b *store.Broken) { g.mu.Break(b) }
