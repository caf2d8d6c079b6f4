package objects

import (
	"context"
	"testing"
	"time"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// As many tasks run at once as the pool has workers.
func TestPoolRunsAtOnce(t *testing.T) {
	const size = 3
	s := newStore(t, store.Limits{})
	began, end := make(chan struct{}), make(chan struct{})
	s.AddFunc("tasks.meet", func(context.Context, store.Args) (store.Item, error) {
		began <- struct{}{}
		<-end
		return none, nil
	})
	cl := connect(t, s)
	id := cl.create("Pool", int64(size))
	meet := pyvalue.Global{Module: "tasks", Name: "meet"}
	for i := range size { // each when the others are under way
		cl.start(id, "apply_async", meet)
		select {
		case <-began:
		case <-time.After(10 * time.Second):
			t.Fatalf("%d tasks run at once, want %d", i, size)
		}
	}
	for range 2 {
		cl.start(id, "apply_async", meet)
	}
	select {
	case <-began:
		t.Errorf("more than %d tasks run at once", size)
	default:
	}
	close(end)
	for range 2 {
		<-began
	}
}
