// Package pool has worker processes that carry out tasks.
//
//	p, err := pool.New(pool.Options{}) // a worker for each processor
//	defer p.Close()
//	for words, err := range CountWords.Map(ctx, p, slices.Values(files)) { … }
//
// The calls are methods of mp.Task: Map, Each, Reduce and Submit; a Pool is what
// they run on.
package pool
