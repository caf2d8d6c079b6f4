package ring

import (
	"errors"
	"testing"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/shm"
)

func TestNewRefuses(t *testing.T) {
	r := newRing(t, Config{Bytes: 64 << 10})
	for _, cfg := range []Config{
		{},
		{Bytes: 7},
		{Bytes: -1},
		{Bytes: MaxBytes + 1},
		{Bytes: 1 << 20}, // larger than the segment
		{Bytes: 1 << 16, Items: -1},
		{Bytes: 1 << 16, Items: 1 << 31},
		{Bytes: 1 << 16, Fixed: true, Size: -8},
		{Bytes: 1 << 16, Fixed: true, Size: 1<<16 + 1},
	} {
		if _, err := New(r.seg, unsafe.Pointer(r.c), shm.PageSize(), cfg); !errors.Is(err, mperr.ErrCorrupt) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	if err := r.TryPut(nil, Nil-1); !errors.Is(err, mperr.ErrTooLarge) {
		t.Error(err)
	}
	if err := r.TryPut(nil, 1<<40); !errors.Is(err, mperr.ErrTooLarge) {
		t.Error(err)
	}
	f := newRing(t, ints)
	if err := f.TryPut(nil, 9); !errors.Is(err, mperr.ErrType) {
		t.Error(err)
	}
}
