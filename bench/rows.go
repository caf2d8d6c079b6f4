package main

import (
	"context"
	"fmt"

	"multiproc/bench/internal/harness"
	"multiproc/bench/peers"
)

// How many items a queue holds, for every contestant: what fits a cache, twice.
const (
	smallCap = 1024
	largeCap = 64
)

// The names of the peers, as targets and the table have them.
const (
	cpython = "cpython"
	floor   = "c"
	golang  = "go socketpair"
)

// own is one of ours, by its key in ourRuns; without the tag it is absent and the peers are measured alone.
func own(key string, n, short int) harness.Contestant {
	return beside(harness.Ours, key, n, short)
}

// beside is another of our own runs, under a name of its own: one process beside two, one putter beside four.
func beside(peer, key string, n, short int) harness.Contestant {
	run, ok := ourRuns[key]
	if !ok {
		run = func(context.Context, int) (float64, error) {
			return 0, fmt.Errorf("%w: built without the tag ours", harness.ErrAbsent)
		}
	}
	return harness.Contestant{Peer: peer, N: n, Short: short, Run: run}
}

func peer(name string, n, short int, run harness.Run) harness.Contestant {
	return harness.Contestant{Peer: name, N: n, Short: short, Run: run}
}

// rows is the whole table: what the project promises, and beside whom.
func rows(k *peers.Kit) []harness.Row {
	var all []harness.Row
	all = append(all, queueRows(k)...)
	all = append(all, connRows(k)...)
	all = append(all, valueRows(k)...)
	all = append(all, startRows(k)...)
	all = append(all, memoryRows(k)...)
	all = append(all, managerRows(k)...)
	all = append(all, poolRows(k)...)
	all = append(all, dictRows(k)...)
	all = append(all, listRows(k)...)
	all = append(all, syncRows(k)...)
	return all
}

func queueRows(k *peers.Kit) []harness.Row {
	return []harness.Row{{
		Name: "queue int64, 1 to 1",
		Contestants: []harness.Contestant{
			own("queue int64 1:1", 2_000_000, 10_000),
			peer(cpython, 60_000, 1_000, k.Python("mp_queue", 8, smallCap, 1, 1)),
			peer(floor, 10_000_000, 100_000, k.C("ring", 8, smallCap)),
		},
		Targets: []harness.Target{harness.Faster(cpython, 120), harness.Within(floor, 8)},
	}, {
		Name: "queue 1 KiB, 1 to 1",
		Contestants: []harness.Contestant{
			own("queue 1K", 500_000, 5_000),
			peer(cpython, 40_000, 1_000, k.Python("mp_queue", 1<<10, smallCap, 1, 1)),
			peer(floor, 2_000_000, 20_000, k.C("ring", 1<<10, smallCap)),
		},
		Targets: []harness.Target{harness.Faster(cpython, 70), harness.Within(floor, 1.5)},
	}, {
		Name: "queue 64 KiB, 1 to 1",
		Contestants: []harness.Contestant{
			own("queue 64K", 50_000, 500),
			peer(cpython, 8_000, 200, k.Python("mp_queue", 64<<10, largeCap, 1, 1)),
			peer(floor, 100_000, 1_000, k.C("ring", 64<<10, largeCap)),
			peer("go socketpair", 20_000, 200, k.Go("socketpair", "bulk", 64<<10)),
			peer("go net/rpc", 5_000, 200, k.Go("netrpc", "bulk", 64<<10)),
			peer("shmipc-go", 50_000, 200, k.Go("shmipc", "bulk", 64<<10)),
			peer("go-plugin", 5_000, 200, k.Go("goplugin", "bulk", 64<<10)),
		},
		Targets: []harness.Target{harness.Faster(cpython, 5), harness.Within(floor, 1.5)},
	}, {
		Name: "queue of a struct with texts",
		Contestants: []harness.Contestant{
			own("queue struct", 500_000, 5_000),
			peer(cpython, 40_000, 1_000, k.Python("mp_queue", 0, smallCap, 1, 1)),
		},
		Targets: []harness.Target{harness.Faster(cpython, 10)},
	}, {
		Name: "queue of a map as any",
		Contestants: []harness.Contestant{
			own("queue map", 200_000, 2_000),
			peer(cpython, 40_000, 1_000, k.Python("mp_queue", 0, smallCap, 1, 1)),
		},
		Targets: []harness.Target{harness.Faster(cpython, 6)},
	}, {
		Name: "queue int64, 4 to 4",
		Contestants: []harness.Contestant{
			own("queue int64 4:4", 1_000_000, 10_000),
			beside("ours 1 to 1", "queue int64 1:1", 1_000_000, 10_000),
			peer(cpython, 40_000, 1_000, k.Python("mp_queue", 8, smallCap, 4, 4)),
		},
		Targets: []harness.Target{harness.Within("ours 1 to 1", 2)},
	}, {
		Name: "queue int64, lent and acknowledged",
		Contestants: []harness.Contestant{
			own("queue leases 1:1", 1_000_000, 10_000),
			beside("ours without leases", "queue int64 1:1", 1_000_000, 10_000),
		},
		Targets: []harness.Target{harness.Within("ours without leases", 2)},
	}}
}

// pauseUS parks both sides before each round trip of the second row.
const pauseUS = 1000

func connRows(k *peers.Kit) []harness.Row {
	row := func(name, key string, factor float64, scale, short, pause int) harness.Row {
		return harness.Row{
			Name: name,
			Contestants: []harness.Contestant{
				own(key, 5*scale, short),
				peer(cpython, 2*scale, short, k.Python("mp_pipe", pause, 0)),
				peer("cpython, pickled", 2*scale, short, k.Python("mp_pipe", pause, 1)),
				peer(golang, 2*scale, short, k.Go("socketpair", "trip", pause)),
				peer(golang+", blocking", 2*scale, short, k.Go("blocking", "trip", pause)),
				peer("c socketpair", 2*scale, short, k.C("pingpong", pause)),
				peer("go net/rpc", 2*scale, short, k.Go("netrpc", "trip", pause)),
				peer("shmipc-go", 2*scale, short, k.Go("shmipc", "trip", pause)),
				peer("go-plugin", 2*scale, short, k.Go("goplugin", "trip", pause)),
			},
			Targets: []harness.Target{harness.Faster(cpython, factor), harness.Faster(golang, 1)},
		}
	}
	return []harness.Row{
		row("conn round trip, busy", "conn busy", 10, 10_000, 500, 0),
		row("conn round trip, parked", "conn parked", 3, 100, 20, pauseUS),
	}
}

func valueRows(k *peers.Kit) []harness.Row {
	return []harness.Row{{
		Name: "value update, 1 process",
		Contestants: []harness.Contestant{
			own("value 1", 5_000_000, 50_000),
			peer(cpython, 500_000, 5_000, k.Python("mp_value", 1)),
			peer(floor, 20_000_000, 200_000, k.C("robust", 1)),
		},
		Targets: []harness.Target{harness.Faster(cpython, 8), harness.Within(floor, 3)},
	}, {
		Name: "value update, 2 processes",
		Contestants: []harness.Contestant{
			own("value 2", 2_000_000, 20_000),
			peer(cpython, 300_000, 5_000, k.Python("mp_value", 2)),
			peer(floor, 10_000_000, 200_000, k.C("robust", 2)),
		},
		Targets: []harness.Target{harness.Faster(cpython, 4), harness.Within(floor, 3)},
	}, {
		Name: "counter add",
		Contestants: []harness.Contestant{
			own("counter", 50_000_000, 100_000),
			peer("atomic.AddInt64", 50_000_000, 100_000, bareAdd),
		},
		Targets: []harness.Target{harness.Within("atomic.AddInt64", 2)},
	}}
}

// spareUS lies between two starts from a spare, so that the next one stands ready; CPython gets the same pause, and
// beside it a line without.
const spareUS = 20_000

func startRows(k *peers.Kit) []harness.Row {
	return []harness.Row{{
		Name: "start and wait, cold",
		Contestants: []harness.Contestant{
			own("start cold", 150, 5),
			peer("bare exec", 150, 5, bareExec),
		},
		Targets: []harness.Target{harness.Within("bare exec", 1.4)},
	}, {
		Name: "start and wait, spare",
		Contestants: []harness.Contestant{
			own("start spare", 50, 3),
			peer("cpython fork", 50, 3, k.Python("mp_start", spareUS)),
			peer("cpython fork, no pause", 150, 3, k.Python("mp_start", 0)),
		},
		Targets: []harness.Target{harness.Faster("cpython fork", 5)},
	}}
}

func memoryRows(k *peers.Kit) []harness.Row {
	return []harness.Row{{
		Name: "sum of a 64 MiB array, 2 processes",
		Contestants: []harness.Contestant{
			own("sum 2", 30, 2),
			beside("ours, 1 process", "sum 1", 30, 2),
			peer("c, 2 processes", 30, 2, k.C("sum", 2)),
			peer("c, 1 process", 30, 2, k.C("sum", 1)),
		},
		Targets: []harness.Target{harness.Faster("ours, 1 process", 1.9)},
	}, {
		Name:        "cpu of 100 processes in Get for 5 s",
		Contestants: []harness.Contestant{own("parked", 100, 5)},
		Targets:     []harness.Target{harness.Below(0.05)},
	}, {
		Name:        "memory of a new queue",
		Unit:        harness.Bytes,
		Contestants: []harness.Contestant{own("resident queue", 200, 20)},
		Targets:     []harness.Target{harness.Below(64 << 10)},
	}, {
		Name:        "memory of a new value",
		Unit:        harness.Bytes,
		Contestants: []harness.Contestant{own("resident value", 200, 20)},
		Targets:     []harness.Target{harness.Below(8 << 10)},
	}}
}
