package client

import (
	"context"
	"fmt"

	"multiproc/internal/codec"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// Served carries the handles in values that a server in this process sends itself:
// the program has them from a Manager, and they must be of the server's store.
func Served(store [frames.IdentitySize]byte) codec.Exporter { return &served{store: store} }

// served is the store of a server in this process: the place into which handles
// are embedded. Nothing is opened by it.
type served struct{ store [frames.IdentitySize]byte }

var _ driver.Place = (*served)(nil)

// Export implements codec.Exporter. It asks nobody.
func (s *served) Export(h codec.Handle) ([]byte, error) {
	if o, ok := h.(*Object); ok && o.handle != nil {
		return o.Embed(s)
	}
	of := h.MultiprocHandle()
	if of == nil {
		return nil, fmt.Errorf("a %T cannot be kept in %v: %w", h, s, mperr.ErrForeign)
	}
	return of.Inside(context.Background(), s).Export(h)
}

// Open implements driver.Place, and refuses.
func (s *served) Open(context.Context, driver.Spec) (driver.Object, error) {
	return nil, fmt.Errorf("%s: open: %w", s, mperr.ErrType)
}

// Extract implements driver.Place, and refuses.
func (s *served) Extract(context.Context, []byte) (driver.Object, error) {
	return nil, fmt.Errorf("%s: extract: %w", s, mperr.ErrType)
}

// String implements driver.Place.
func (s *served) String() string { return "the manager that is to return it" }
