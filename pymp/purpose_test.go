package pymp_test

import (
	"path/filepath"
	"strings"
	"testing"

	"multiproc/pymp"
)

// Errors of requests to the server say what they are for, and not what CPython's
// protocol calls them.
func TestErrorsNameThePurpose(t *testing.T) {
	_, err := pymp.Dial(t.Context(), filepath.Join(t.TempDir(), "nobody"), []byte("k"))
	if err == nil || !strings.HasPrefix(err.Error(), "pymp.Dial: ask the manager whether it is there: dial ") {
		t.Errorf("Dial says %v", err)
	}
	if _, err := pymp.Dial(t.Context(), "/nobody", nil); err == nil || !strings.HasPrefix(err.Error(), "pymp.Dial: manager /nobody: no authkey") {
		t.Errorf("Dial without a key says %v", err)
	}
}
