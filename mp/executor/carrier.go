package executor

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Carrier carries values of a context to the process in which a task runs, whose
// context otherwise has none of them: the ids of a trace, for example. Inject puts
// what it finds in ctx into the map, and Extract returns ctx with what it finds in
// the map. They may be called by any number of goroutines; either may be nil.
type Carrier struct {
	Inject  func(ctx context.Context, values map[string]string)
	Extract func(ctx context.Context, values map[string]string) context.Context
}

var carriers struct {
	sync.RWMutex
	list []Carrier
}

// RegisterCarrier adds a Carrier. Package mp has it for programs.
func RegisterCarrier(c Carrier) {
	carriers.Lock()
	defer carriers.Unlock()
	carriers.list = append(carriers.list, c)
}

func registered() []Carrier {
	carriers.RLock()
	defer carriers.RUnlock()
	return carriers.list
}

// Inject returns what the carriers find in ctx, names and values in turn, nil if it
// is nothing.
func Inject(ctx context.Context) []string {
	list := registered()
	if len(list) == 0 {
		return nil
	}
	values := map[string]string{}
	for _, c := range list {
		if c.Inject != nil {
			c.Inject(ctx, values)
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, name, values[name])
	}
	return out
}

// Extract returns ctx with what Inject has returned elsewhere.
func Extract(ctx context.Context, carried []string) context.Context {
	if len(carried) < 2 {
		return ctx
	}
	values := map[string]string{}
	for pair := range slices.Chunk(carried, 2) {
		values[pair[0]] = pair[len(pair)-1]
	}
	for _, c := range registered() {
		if c.Extract != nil {
			ctx = c.Extract(ctx, values)
		}
	}
	return ctx
}
