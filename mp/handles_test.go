package mp_test

import (
	"context"

	"multiproc/mp"
)

// MakeQueue returns a queue with one item in it.
var MakeQueue = mp.Func(makeQueue)

func makeQueue(ctx context.Context, _ mp.None) (*mp.Queue[string], error) {
	q, err := mp.NewQueue[string](0)
	if err != nil {
		return nil, err
	}
	return q, q.Put(ctx, "made by a child")
}
