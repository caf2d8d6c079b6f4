package main

import (
	"multiproc/bench/internal/harness"
	"multiproc/bench/peers"
)

const redis = "redis, go-redis"

func managerRows(k *peers.Kit) []harness.Row {
	return []harness.Row{{
		Name: "manager dict, 1 caller",
		Contestants: []harness.Contestant{
			own("manager 1", 50_000, 500),
			peer(cpython, 20_000, 500, k.Python("mp_manager", "dict", 1, "unix")),
			peer(redis, 50_000, 500, k.Redis(1)),
		},
		Targets: []harness.Target{harness.Faster(cpython, 2), harness.Faster(redis, 1)},
	}, {
		Name: "manager dict, 64 callers",
		Contestants: []harness.Contestant{
			own("manager 64", 500_000, 5_000),
			peer(cpython, 20_000, 640, k.Python("mp_manager", "dict", 64, "unix")),
			peer("cpython, 4 callers", 20_000, 640, k.Python("mp_manager", "dict", 4, "unix")),
			peer(redis, 200_000, 5_000, k.Redis(64)),
		},
		Targets: []harness.Target{harness.Faster(cpython, 15), harness.Faster(redis, 1)},
	}, {
		Name: "cpython client of a dict",
		Contestants: []harness.Contestant{
			{Peer: harness.Ours, N: 20_000, Short: 500, Run: pythonOnOurs(k, "dict", "unix")},
			peer("cpython server", 20_000, 500, k.Python("mp_manager", "dict", 1, "unix")),
		},
		Targets: []harness.Target{harness.Faster("cpython server", 1)},
	}, {
		Name: "cpython client creates a Lock, TCP",
		Contestants: []harness.Contestant{
			{Peer: harness.Ours, N: 300, Short: 10, Run: pythonOnOurs(k, "lock", "tcp")},
			peer("cpython server", 10, 3, k.Python("mp_manager", "lock", 1, "tcp")),
		},
		Targets: []harness.Target{harness.Faster("cpython server", 20)},
	}, {
		Name:        "memory of 1000 idle clients",
		Unit:        harness.Bytes,
		Contestants: []harness.Contestant{own("idle clients", 1000, 100)},
		Targets:     []harness.Target{harness.Below(32 << 20)},
	}}
}
