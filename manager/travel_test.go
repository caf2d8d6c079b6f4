package manager

import (
	"context"
	"errors"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/mp"
)

// tallyTask calls a method of a registered type that has come to it.
var tallyTask = mp.Func(tallyInChild, mp.Named("manager.tallyInChild"))

func tallyInChild(ctx context.Context, o *Object) (int, error) {
	n, err := Call[int](ctx, o, "Add", "start", 1)
	return n, errors.Join(err, o.Close())
}

// Objects of registered types travel as the other handles do: to children,
// and in values that their own place keeps.
func TestObjectsTravel(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	ctx := t.Context()
	m := dialTest(t, serveTest(t))
	o, err := New(ctx, m, "test.Tally", 5)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := tallyTask.Run(ctx, o); n != 6 || err != nil {
		t.Errorf("in a child: %d, %v", n, err)
	}
	d, err := mp.NewDict[string, *Object](mp.In(m))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Set(ctx, "tally", o); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := d.Get(ctx, "tally")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := Call[int](ctx, again, "Add", "start", 0); n != 6 || err != nil {
		t.Errorf("taken out: %d, %v", n, err)
	}
	elsewhere := dialTest(t, serveTest(t))
	far, err := mp.NewDict[string, *Object](mp.In(elsewhere))
	if err != nil {
		t.Fatal(err)
	}
	if err := far.Set(ctx, "tally", again); !errors.Is(err, mperr.ErrForeign) {
		t.Errorf("in another manager: %v", err)
	}
	if _, err := tallyTask.Run(ctx, &Object{}); err == nil {
		t.Error("a zero Object travels")
	}
}
