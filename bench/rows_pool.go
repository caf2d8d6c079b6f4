package main

import (
	"multiproc/bench/internal/harness"
	"multiproc/bench/peers"
)

// Beside CPython's multiprocessing.Pool, which is cpython here.
const (
	futures = "cpython executor" // concurrent.futures.ProcessPoolExecutor
	loky    = "loky"             // joblib's
)

const (
	poolWorkers = 2
	poolBlock   = 16 << 20
	poolWindow  = 64
)

func poolRows(k *peers.Kit) []harness.Row {
	python := func(work string) harness.Run { return k.Python("mp_pool", "pool", work, poolWorkers) }
	executor := func(work string) harness.Run { return k.Python("mp_pool", "executor", work, poolWorkers) }
	joblib := func(work string) harness.Run { return k.Joblib("mp_pool", "loky", work, poolWorkers) }
	const mebi = 1 << 20
	return []harness.Row{{
		Name: "pool: trivial items, automatic chunks",
		Contestants: []harness.Contestant{
			own("pool map", 1_000_000, 10_000),
			peer(cpython, 1_000_000, 10_000, python("map")),
			peer(futures+", same chunks", 1_000_000, 10_000, executor("map")),
			peer(loky+", same chunks", 1_000_000, 10_000, joblib("map")),
		},
		Targets: []harness.Target{harness.Faster(cpython, 10)},
	}, {
		Name: "pool: trivial items, one a message",
		Contestants: []harness.Contestant{
			own("pool one", 200_000, 2_000),
			peer(cpython, 40_000, 1_000, python("one")),
			peer(futures, 5_000, 500, executor("one")),
			peer(loky, 5_000, 200, joblib("one")),
		},
		Targets: []harness.Target{harness.Faster(cpython, 15)},
	}, {
		Name: "pool: submit and wait",
		Contestants: []harness.Contestant{
			own("pool submit", 50_000, 500),
			peer(cpython, 5_000, 200, python("call")),
			peer(futures, 5_000, 200, executor("call")),
			peer(loky, 3_000, 100, joblib("call")),
			peer("go net/rpc", 20_000, 500, k.Go("netrpc", "trip", 0)),
			peer("go-plugin", 20_000, 500, k.Go("goplugin", "trip", 0)),
			peer("go-plugin, gRPC", 10_000, 500, k.Go("goplugin-grpc", "trip", 0)),
		},
		Targets: []harness.Target{
			harness.Faster(cpython, 12), harness.Faster("go-plugin", 1), harness.Faster("go-plugin, gRPC", 1),
		},
	}, {
		Name: "pool: items of 1 ms",
		Contestants: []harness.Contestant{
			own("pool spin 2", 1_000, 20),
			beside("ours, 1 worker", "pool spin 1", 1_000, 20),
			peer("goroutines, 2", 1_000, 20, bareSpin(2)),
			peer("goroutines, 1", 1_000, 20, bareSpin(1)),
			peer(cpython, 1_000, 20, python("spin")),
			peer("cpython, 1 worker", 1_000, 20, k.Python("mp_pool", "pool", "spin", 1)),
		},
		Targets: []harness.Target{harness.Faster("ours, 1 worker", 1.95)},
	}, {
		Name: "pool: arguments of 16 MiB",
		Contestants: []harness.Contestant{
			own("pool blocks", 100, 5),
			peer(cpython, 50, 5, python("blocks")),
			peer(futures, 50, 5, executor("blocks")),
			peer(loky, 50, 5, joblib("blocks")),
		},
		Targets: []harness.Target{harness.Faster(cpython, 4)},
	}, {
		Name: "pool: SIGKILL in an item to its error",
		Contestants: []harness.Contestant{
			own("pool kill", 50, 3),
			peer(futures, 20, 2, executor("kill")),
			peer(loky, 5, 2, joblib("kill")),
		},
		Targets: []harness.Target{harness.Below(0.010)},
	}, {
		Name: "pool: the slowest of 50 of those",
		Contestants: []harness.Contestant{
			own("pool kill slowest", 50, 3),
			peer(futures+", of 20", 20, 2, executor("slowest")),
			peer(loky+", of 5", 5, 2, joblib("slowest")),
		},
		Targets: []harness.Target{harness.Below(0.010)},
	}, {
		Name: "pool: longest stall, workers of 100 items",
		Contestants: []harness.Contestant{
			own("pool recycle", 100_000, 1_000),
			peer(cpython+", 10 000 items", 10_000, 500, python("recycle")),
		},
		Targets: []harness.Target{harness.Below(0.050)},
	}, {
		Name: "pool: inputs ahead of a window of 64",
		Unit: harness.Count,
		Contestants: []harness.Contestant{
			own("pool ahead", 1_000_000, 10_000),
			peer(cpython+", of 50 000", 50_000, 1_000, python("ahead")),
			peer(futures+", of 10 000", 10_000, 500, executor("ahead")),
		},
		Targets: []harness.Target{harness.AtMost(poolWindow + poolWorkers)},
	}, {
		Name: "pool: growth by a million inputs",
		Unit: harness.Bytes,
		Contestants: []harness.Contestant{
			own("pool growth", 1_000_000, 10_000),
			peer(cpython+", of 50 000", 50_000, 1_000, python("memory")),
			peer(futures+", of 10 000", 10_000, 500, executor("memory")),
		},
		Targets: []harness.Target{harness.Below(4 * mebi)},
	}}
}
