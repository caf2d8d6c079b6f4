//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"multiproc/mp"
)

// Tell changes a dict that its parent watches.
var Tell = mp.Proc(func(ctx context.Context, d *mp.Dict[string, int]) error {
	for i := range 100 {
		if err := d.Set(ctx, "n", i); err != nil {
			return err
		}
	}
	_, err := d.Delete(ctx, "n")
	return errors.Join(err, d.Clear(ctx))
}, mp.Named("tell"))

// Who watches a dict in memory hears what other processes do, in order, up to the end of
// the context, of the loop or of the handle.
func TestWatchInMemory(t *testing.T) {
	ctx := within(t, 10*time.Second)
	d := closing(t, get(mp.NewDict[string, int]())(t))
	changes := d.Watch(ctx)
	p, err := Tell.Start(ctx, d)
	must(t, err)
	must(t, p.Wait(ctx))
	var got, want []string
	for i := range 100 {
		want = append(want, fmt.Sprint("set n ", i))
	}
	want = append(want, "delete n 0", "clear  0")
	for c, err := range changes {
		must(t, err)
		got = append(got, fmt.Sprint(c.Op, " ", c.Key, " ", c.Value))
		if c.Op == "clear" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	short, cancel := context.WithCancel(ctx)
	ended, closed := d.Watch(short), d.Watch(ctx)
	cancel()
	for _, err := range ended {
		wantErr(t, "the end of the context", err, context.Canceled)
	}
	must(t, d.Close())
	for _, err := range closed {
		wantErr(t, "the end of the handle", err, mp.ErrClosed)
	}
}

// A namespace in memory is watched as a dict is.
func TestWatchNamespaceInMemory(t *testing.T) {
	ctx := within(t, 10*time.Second)
	ns := closing(t, get(mp.NewNamespace())(t))
	changes := ns.Watch(ctx)
	must(t, ns.Set(ctx, "a", 1))
	for c, err := range changes {
		if must(t, err); c.Key != "a" || c.Value != 1 {
			t.Errorf("%+v", c)
		}
		break
	}
}
