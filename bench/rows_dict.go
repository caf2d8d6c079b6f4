package main

import (
	"multiproc/bench/internal/harness"
	"multiproc/bench/peers"
)

// dictRows are dictionaries in memory. LMDB's is on /dev/shm, without syncing, a transaction for each call; sync.Map is
// private to its process; CPython's is in a manager.
func dictRows(k *peers.Kit) []harness.Row {
	const lmdb, syncMap, one = "lmdb", "sync.Map", "1 process"
	row := func(name, key string, keys, sets int, form string, n, short int, targets ...harness.Target) harness.Row {
		return harness.Row{
			Name: "dict: " + name,
			Contestants: []harness.Contestant{
				own("dict "+key, n, short),
				beside(syncMap, "map "+key, n, short),
				peer(lmdb, n, short, k.C("lmdb", keys, sets, form)),
			},
			Targets: targets,
		}
	}
	together := func(name, key string, times float64) harness.Row {
		return harness.Row{
			Name: "dict: 2 processes, " + name,
			Contestants: []harness.Contestant{
				own("dict 2 "+key, 40_000_000, 20_000),
				beside(one, "dict 1 "+key, 40_000_000, 20_000),
			},
			Targets: []harness.Target{harness.Faster(one, times)},
		}
	}
	const calm = "beside a private map"
	gap := func(who, key string) harness.Row {
		return harness.Row{
			Name: "dict: longest wait of a " + who + ", 10 000 000 entries come and go",
			Contestants: []harness.Contestant{
				own("dict gap "+key, 10_000_000, 20_000),
				beside(calm, "dict calm "+key, 10_000_000, 20_000),
			},
			Targets: []harness.Target{harness.Below(2e-3)},
		}
	}
	return []harness.Row{
		gap("reader", "read"),
		gap("writer of another key", "write"),
		row("numbers, 1 000, get", "get 1000", 1_000, 0, "int", 5_000_000, 20_000, harness.Faster(lmdb, 1/0.6), harness.Within(syncMap, 3)),
		row("numbers, 1 000, set", "set 1000", 1_000, 100, "int", 5_000_000, 20_000, harness.Faster(lmdb, 1/0.4), harness.Faster(syncMap, 1)),
		row("numbers, 1 000 000, get", "get 1000000", 1_000_000, 0, "int", 5_000_000, 20_000, harness.Faster(syncMap, 1)),
		row("numbers, 1 000 000, set", "set 1000000", 1_000_000, 100, "int", 5_000_000, 20_000, harness.Faster(lmdb, 1/0.4)),
		row("text to 100 bytes, 100 000, get", "text get", 100_000, 0, "text", 2_000_000, 20_000, harness.Within(lmdb, 1.5)),
		row("text to 100 bytes, 100 000, set", "text set", 100_000, 100, "text", 2_000_000, 20_000, harness.Faster(lmdb, 1/0.6)),
		{
			Name: "dict: set and get in turn, beside a manager",
			Contestants: []harness.Contestant{
				own("dict half", 5_000_000, 20_000),
				peer(cpython, 20_000, 500, k.Python("mp_manager", "dict", 1, "unix")),
			},
			Targets: []harness.Target{harness.Faster(cpython, 200)},
		},
		together("reads", "reads", 1.8),
		together("10 % writes", "some writes", 1.8),
		together("writes", "writes", 1.5),
		together("one hot key read", "hot", 1.8),
	}
}
