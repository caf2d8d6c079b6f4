package driver

import (
	"context"
	"fmt"
	"sync"
)

// OpenFunc opens an object from what its Reference method returned in another
// process.
type OpenFunc func(ctx context.Context, ref []byte) (Object, error)

var registry = struct {
	sync.RWMutex
	open map[string]OpenFunc
}{open: map[string]OpenFunc{}}

// Register makes a driver known under a name. It is called as packages are
// initialized, and panics if the name is taken.
func Register(name string, open OpenFunc) {
	registry.Lock()
	defer registry.Unlock()
	if registry.open[name] != nil {
		panic(fmt.Sprintf("driver: %q is registered twice", name))
	}
	registry.open[name] = open
}

// Open opens a reference with the driver of that name.
func Open(ctx context.Context, name string, ref []byte) (Object, error) {
	registry.RLock()
	open := registry.open[name]
	registry.RUnlock()
	if open == nil {
		return nil, fmt.Errorf("a handle of driver %q: this program does not import the package that registers it", name)
	}
	return open(ctx, ref)
}
