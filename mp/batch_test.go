//go:build linux

package mp_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"multiproc/mp"
)

// Batches of every kind of record: as they are, and by way of the codec.
func TestBatchKinds(t *testing.T) {
	ctx := t.Context()
	texts := []string{"", "a", "bc", string(make([]byte, 5000))}
	if got := throughBatch(ctx, t, texts); !slices.Equal(got, texts) {
		t.Errorf("strings arrived as %q", got)
	}
	blocks := [][]byte{{1}, {}, {2, 3}}
	if got := throughBatch(ctx, t, blocks); !slices.EqualFunc(got, blocks, slices.Equal[[]byte]) {
		t.Errorf("blocks arrived as %v", got)
	}
	lists := [][]string{{"x"}, nil, {"y", "z"}}
	if got := throughBatch(ctx, t, lists); !slices.EqualFunc(got, lists, slices.Equal[[]string]) {
		t.Errorf("lists arrived as %v", got)
	}
}

func throughBatch[T any](ctx context.Context, t *testing.T, values []T) []T {
	t.Helper()
	q, err := mp.NewQueue[T](0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	if n, err := q.PutBatch(ctx, values); n != len(values) || err != nil {
		t.Fatalf("PutBatch = %d, %v", n, err)
	}
	got, err := q.GetBatch(ctx, len(values)+1)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// What cannot be encoded stops the batch there; what came before it is put.
func TestBatchStopsAtTheFirstError(t *testing.T) {
	type stranger struct{ N int } // not registered for use inside an any
	q, err := mp.NewQueue[any](0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	n, err := q.PutBatch(t.Context(), []any{1, "two", stranger{3}, 4})
	if n != 2 || err == nil {
		t.Fatalf("PutBatch = %d, %v, want 2 and an error", n, err)
	}
	if got, err := q.GetBatch(t.Context(), 9); err != nil || !slices.Equal(got, []any{1, "two"}) {
		t.Errorf("GetBatch = %v, %v", got, err)
	}
	if _, err := q.TryGet(t.Context()); !errors.Is(err, mp.ErrEmpty) {
		t.Errorf("the queue is not empty: %v", err)
	}
}
