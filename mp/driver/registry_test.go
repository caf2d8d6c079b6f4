package driver_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"multiproc/mp/driver"
)

var errOpened = errors.New("opened")

func TestRegistry(t *testing.T) {
	driver.Register("test", func(_ context.Context, ref []byte) (driver.Object, error) {
		if string(ref) != "ref" {
			t.Errorf("opened with %q", ref)
		}
		return nil, errOpened
	})
	if _, err := driver.Open(t.Context(), "test", []byte("ref")); !errors.Is(err, errOpened) {
		t.Errorf("open: %v", err)
	}
	if _, err := driver.Open(t.Context(), "nobody", nil); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("a driver that is not there: %v", err)
	}
	defer func() {
		if r := recover(); r == nil {
			t.Error("a name was registered twice")
		}
	}()
	driver.Register("test", nil)
}
