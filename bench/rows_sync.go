package main

import (
	"multiproc/bench/internal/harness"
	"multiproc/bench/peers"
)

// syncRows are what processes wait with for each other. A hand-over is two semaphores there and back; parked, both sides
// have slept before each.
func syncRows(k *peers.Kit) []harness.Row {
	row := func(name, key, work string, n, short, theirs, theirShort int, times float64) harness.Row {
		return harness.Row{
			Name: name,
			Contestants: []harness.Contestant{
				own(key, n, short),
				peer(cpython, theirs, theirShort, k.Python("mp_sync", work)),
			},
			Targets: []harness.Target{harness.Faster(cpython, times)},
		}
	}
	return append(rwRows(k), []harness.Row{
		row("sync: semaphore, alone", "semaphore", "semaphore", 1_000_000, 10_000, 200_000, 2_000, 1),
		row("sync: semaphore hand-over, busy", "hand-over busy", "hand-over", 200_000, 1_000, 20_000, 500, 10),
		row("sync: semaphore hand-over, parked", "hand-over parked", "hand-over-parked", 1_000, 20, 1_000, 20, 1),
		row("sync: cond hand-over, busy", "cond busy", "cond", 200_000, 1_000, 10_000, 300, 10),
		row("sync: cond hand-over, parked", "cond parked", "cond-parked", 1_000, 20, 1_000, 20, 1),
		row("sync: barrier of 2, busy", "barrier busy", "barrier", 200_000, 1_000, 5_000, 200, 10),
		row("sync: recursive mutex, alone", "recursive mutex", "rlock", 1_000_000, 10_000, 200_000, 2_000, 1),
		row("sync: event, set and clear", "event", "event", 1_000_000, 10_000, 100_000, 1_000, 10),
	}...)
}

// rwRows are those of a lock for readers and writers, which Python has not.
func rwRows(k *peers.Kit) []harness.Row {
	const one = "1 process"
	alone := func(name, key string, writes int, target harness.Target) harness.Row {
		return harness.Row{
			Name: name,
			Contestants: []harness.Contestant{
				own(key, 5_000_000, 10_000),
				peer(floor, 20_000_000, 200_000, k.C("rwlock", 1, writes)),
			},
			Targets: []harness.Target{target},
		}
	}
	return []harness.Row{
		alone("sync: rwmutex, read alone", "rwmutex read", 0, harness.AtMost(60e-9)),
		alone("sync: rwmutex, write alone", "rwmutex write", 1, harness.AtMost(150e-9)),
		{
			Name: "sync: rwmutex, 2 processes read",
			Contestants: []harness.Contestant{
				own("rwmutex read 2", 10_000_000, 20_000),
				beside(one, "rwmutex read 1", 10_000_000, 20_000),
				peer(floor, 10_000_000, 200_000, k.C("rwlock", 2, 0)),
			},
			Targets: []harness.Target{harness.Faster(one, 1.8), harness.Faster(floor, 1.5)},
		},
	}
}
