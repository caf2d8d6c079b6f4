package main

import (
	"multiproc/bench/internal/harness"
	"multiproc/bench/peers"
)

// listRows are lists of numbers in memory, beside a slice, which is private to its process, and CPython's, which is in a
// manager.
func listRows(k *peers.Kit) []harness.Row {
	const slice = "Go slice"
	row := func(name, key, python string, length, n, short int, seconds float64) harness.Row {
		return harness.Row{
			Name: "list: " + name,
			Contestants: []harness.Contestant{
				own("list "+key, n, short),
				beside(slice, "slice "+key, n, short),
				peer(cpython, min(n, 20_000), min(short, 500), k.Python("mp_list", python, length)),
			},
			Targets: []harness.Target{harness.Below(seconds)},
		}
	}
	return []harness.Row{
		row("append", "append", "append", 0, 1_000_000, 20_000, 200e-9),
		row("get, of 1 000", "get 1000", "get", 1_000, 5_000_000, 20_000, 100e-9),
		row("get, of 1 000 000", "get 1000000", "get", 1_000_000, 5_000_000, 20_000, 100e-9),
		row("insert in the middle of 1 000 000", "insert", "insert", 1_000_000, 20_000, 1_000, 20e-6),
	}
}
