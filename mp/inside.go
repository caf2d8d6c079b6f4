package mp

import (
	"context"
	"errors"
	"fmt"

	"multiproc/internal/codec"
	"multiproc/internal/interchange"
	"multiproc/internal/local"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// inside is the session of one value that is kept in a place: handles in it
// stand for objects of the same place.
type inside struct {
	ctx   context.Context // of the call that the value belongs to
	place driver.Place
	got   []traveller // the handles that were filled in
}

// carrier makes such sessions for drivers whose messages hold handles, too.
type carrier struct{}

// Inside implements codec.Carrier.
func (carrier) Inside(ctx context.Context, place any) codec.Session {
	return &inside{ctx: ctx, place: place.(driver.Place)}
}

// Export implements codec.Exporter.
func (s *inside) Export(h codec.Handle) ([]byte, error) {
	t, ok := travellerOf(h)
	if !ok {
		return nil, s.foreign(h)
	}
	if obj := t.remote(); obj != nil {
		return obj.Embed(s.place)
	}
	_, release, err := t.borrow()
	if err != nil {
		return nil, local.ErrNoObject
	}
	release()
	return nil, s.foreign(h)
}

func (s *inside) foreign(h codec.Handle) error {
	if s.place == driver.Place(memory) {
		return fmt.Errorf("a %T cannot be kept in a value in memory, where nobody would hold its descriptor: keep both in a manager, with mp.In: %w", h, errors.ErrUnsupported)
	}
	return fmt.Errorf("a %T in memory cannot be kept in %v: make it with mp.In the same place: %w", h, s.place, mperr.ErrForeign)
}

// Import implements codec.Importer.
func (s *inside) Import(h codec.Handle, ref []byte) error {
	t, ok := travellerOf(h)
	if !ok {
		return fmt.Errorf("%v holds no %T: %w", s.place, h, mperr.ErrType)
	}
	obj, err := s.place.Extract(s.ctx, ref)
	if err != nil {
		return err
	}
	if err := t.open(obj); err != nil {
		return err
	}
	s.got = append(s.got, t)
	return nil
}

// drop closes the handles that were filled in, where the value does not reach
// anybody.
func (s *inside) drop() {
	for _, h := range s.got {
		_ = h.Close()
	}
	s.got = nil
}

// encode returns v as its object's place keeps it.
func encode[T any](ctx context.Context, o driver.Object, t *interchange.Type[T], v T) ([]byte, error) {
	return t.Append(nil, &v, &inside{ctx: ctx, place: o.Place()})
}

// encodeAll encodes values until one cannot be; the error is that one's.
func encodeAll[T any](ctx context.Context, o driver.Object, t *interchange.Type[T], vs []T) ([][]byte, error) {
	out := make([][]byte, 0, len(vs))
	for i := range vs {
		b, err := t.Append(nil, &vs[i], &inside{ctx: ctx, place: o.Place()})
		if err != nil {
			return out, fmt.Errorf("value %d: %w", i, err)
		}
		out = append(out, b)
	}
	return out, nil
}

// decode is the way back. What it returns belongs to the caller, handles in it
// included.
func decode[T any](ctx context.Context, o driver.Object, t *interchange.Type[T], b []byte) (T, error) {
	v := new(T)
	s := inside{ctx: ctx, place: o.Place()}
	if err := t.Decode(b, v, &s); err != nil {
		s.drop()
		return *new(T), fmt.Errorf("%v: %w", o, err)
	}
	return *v, nil
}

// decodeWhole decodes values of one answer for callers to whom a part of them is
// of no use.
func decodeWhole[T any](ctx context.Context, o driver.Object, t *interchange.Type[T], bs [][]byte) ([]T, error) {
	out, s := make([]T, len(bs)), inside{ctx: ctx, place: o.Place()}
	for i, b := range bs {
		if err := t.Decode(b, &out[i], &s); err != nil {
			s.drop()
			return nil, fmt.Errorf("%v: %w", o, err)
		}
	}
	return out, nil
}

// decodeAll decodes values of one answer: all of them, or those of which the
// error does not speak.
func decodeAll[T any](ctx context.Context, o driver.Object, t *interchange.Type[T], bs [][]byte) ([]T, error) {
	out := make([]T, 0, len(bs))
	var failed error
	for _, b := range bs {
		v, err := decode(ctx, o, t, b)
		if err != nil {
			failed = err
			continue
		}
		out = append(out, v)
	}
	return out, failed
}

// taken decodes what is no longer in the place. That ctx may have ended since
// is no reason to lose it: handles in it are opened with openTimeout of their own.
func taken[T any](ctx context.Context, o driver.Object, t *interchange.Type[T], b []byte) (T, error) {
	if t.HasHandles() {
		own, cancel := grace(ctx)
		defer cancel()
		ctx = own
	}
	v, err := decode(ctx, o, t, b)
	return v, lost(err)
}

func grace(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
}

func lost(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("an item was taken that cannot be decoded: %w", err)
}
