package main

import (
	"context"
	"errors"
	"fmt"

	"multiproc/bench/internal/harness"
	"multiproc/mp"
)

// job is what most queues of real programs carry: a number and a few texts. The CPython peer puts a dict of the same.
type job struct {
	ID               int64
	Name, User, Path string
	Weight           float64
}

func structOf(i int) job {
	return job{ID: int64(i), Name: "render a page", User: "somebody", Path: "/var/spool/jobs/page-000017.json", Weight: 2.5}
}

func numberOfStruct(j job) int64 {
	if j.Name != "render a page" || j.User != "somebody" || j.Path != "/var/spool/jobs/page-000017.json" || j.Weight != 2.5 {
		return -1
	}
	return j.ID
}

// mapOf is the same for who has no type for it.
func mapOf(i int) any {
	return map[string]any{
		"id": int64(i), "name": "render a page", "user": "somebody", "path": "/var/spool/jobs/page-000017.json", "weight": 2.5,
	}
}

func numberOfMap(v any) int64 {
	m, ok := v.(map[string]any)
	id, isNumber := m["id"].(int64)
	if !ok || !isNumber || len(m) != 5 || m["path"] != "/var/spool/jobs/page-000017.json" || m["weight"] != 2.5 {
		return -1
	}
	return id
}

// recordWorker puts or gets values that are neither numbers nor bytes.
type recordWorker[T any] struct {
	Station station
	Items   *mp.Queue[T]
}

// records is how a type of records is made and looked at, and its two tasks.
type records[T any] struct {
	build    func(i int) T
	number   func(T) int64
	put, get *mp.Task[recordWorker[T], mp.None]
}

func newRecords[T any](name string, build func(i int) T, number func(T) int64) records[T] {
	r := records[T]{build: build, number: number}
	r.put = mp.Proc(r.putTask, mp.Named("bench.put "+name))
	r.get = mp.Proc(r.getTask, mp.Named("bench.get "+name))
	return r
}

var (
	structs = newRecords("structs", structOf, numberOfStruct)
	maps    = newRecords("maps", mapOf, numberOfMap)
)

func (r records[T]) putTask(ctx context.Context, w recordWorker[T]) error {
	return w.Station.shifts(ctx, func(share, _ int) (tally, error) {
		for i := range share {
			if err := w.Items.Put(ctx, r.build(i)); err != nil {
				return tally{}, err
			}
		}
		return tally{}, nil
	})
}

func (r records[T]) getTask(ctx context.Context, w recordWorker[T]) error {
	return w.Station.shifts(ctx, func(share, _ int) (tally, error) {
		var sum int64
		for range share {
			v, err := w.Items.Get(ctx)
			if err != nil {
				return tally{}, err
			}
			n := r.number(v)
			if n < 0 {
				return tally{}, fmt.Errorf("a wrong record: %v", v)
			}
			sum += n
		}
		return tally{Count: int64(share), Sum: sum}, nil
	})
}

// queueRecords moves n records from one process to another.
func queueRecords[T any](r records[T]) harness.Run {
	return func(ctx context.Context, n int) (perItem float64, err error) {
		c, err := newCrew()
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, c.dismiss(ctx)) }()
		items, err := mp.NewQueue[T](smallCap)
		if err != nil {
			return 0, err
		}
		c.owns(items)
		for _, task := range []*mp.Task[recordWorker[T], mp.None]{r.put, r.get} {
			err := c.hire(func(s station) (mp.Child, error) { return task.Start(ctx, recordWorker[T]{s, items}) })
			if err != nil {
				return 0, err
			}
		}
		for _, count := range []int{n/10 + 1, n} {
			got, took, err := c.run(ctx, func(int) int { return count })
			if err != nil {
				return 0, err
			}
			if want := (tally{int64(count), int64(count) * int64(count-1) / 2}); got != want {
				return 0, fmt.Errorf("got %d records with sum %d, want %d with %d", got.Count, got.Sum, want.Count, want.Sum)
			}
			perItem = took.Seconds() / float64(n)
		}
		return perItem, nil
	}
}
