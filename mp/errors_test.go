//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"multiproc/mp"
)

var (
	errMine    = errors.New("sold out")
	errUnnamed = errors.New("nobody has registered this")
)

func init() { mp.RegisterError("mp_test.errMine", errMine) }

// Fail returns the error of that name.
var Fail *mp.Task[string, mp.None]

func fail(_ context.Context, which string) error {
	switch which {
	case "mine":
		return fmt.Errorf("seat 7: %w", errMine)
	case "both":
		return errors.Join(errMine, io.EOF)
	case "file":
		_, err := os.Open("/there/is/no/such/file")
		return err
	case "unnamed":
		return errUnnamed
	case "own":
		return fmt.Errorf("wrapped: %w", mp.ErrFull)
	case "grandchild":
		_, err := Fail.Run(context.Background(), "mine")
		return fmt.Errorf("below: %w", err)
	}
	return nil
}

func init() { Fail = mp.Proc(fail) }

func TestErrorsKeepTheirIdentity(t *testing.T) {
	for _, tt := range []struct {
		which, text string
		is, not     []error
	}{
		{"mine", "seat 7: sold out", []error{errMine}, []error{io.EOF}},
		{"both", "sold out\nEOF", []error{errMine, io.EOF}, []error{mp.ErrFull}},
		{"file", "open /there/is/no/such/file: no such file or directory", []error{fs.ErrNotExist}, []error{fs.ErrExist}},
		{"unnamed", errUnnamed.Error(), nil, []error{errUnnamed, errMine}},
		{"own", "wrapped: queue is full", []error{mp.ErrFull}, []error{mp.ErrEmpty}},
		{"grandchild", "below: ", []error{errMine}, nil},
	} {
		p := start(t, Fail, tt.which)
		err := p.Wait(t.Context())
		var remote *mp.RemoteError
		if !errors.As(err, &remote) {
			t.Errorf("%s: %T %v", tt.which, err, err)
			continue
		}
		if remote.Task != Fail.Name() || remote.PID != p.PID() || remote.Panic || remote.Stack != "" {
			t.Errorf("%s: %+v", tt.which, remote)
		}
		if !strings.HasPrefix(remote.Message, tt.text) {
			t.Errorf("%s: message %q, want %q", tt.which, remote.Message, tt.text)
		}
		for _, target := range tt.is {
			wantErr(t, tt.which, err, target)
		}
		for _, target := range tt.not {
			if errors.Is(err, target) {
				t.Errorf("%s is %v, and should not be", tt.which, target)
			}
		}
		if p.State().ExitCode != 1 {
			t.Errorf("%s: %v, want exit code 1", tt.which, p.State())
		}
	}
}

func TestRegisterErrorRefusesATakenName(t *testing.T) {
	mp.RegisterError("mp_test.errMine", errMine) // the same again is no conflict
	wantPanic(t, `"mp_test.errMine" already names the error "sold out"`, func() {
		mp.RegisterError("mp_test.errMine", errUnnamed)
	})
}

// wantPanic calls f, which must panic with a text that contains want.
func wantPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), want) {
			t.Errorf("panic %v, want %q", v, want)
		}
	}()
	f()
}
