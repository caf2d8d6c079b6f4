package main

import (
	"log"
	"slices"

	"multiproc/bench/internal/harness"
	"multiproc/bench/internal/stats"
	"multiproc/mp"
	"multiproc/pool"
)

// initOurs is the first thing that main does: in a child it runs the task and never returns.
func initOurs() {
	mp.Init()
	if err := measureResident(); err != nil {
		log.Fatal(err)
	}
}

// ourRuns are our contestants, by the keys that rows.go uses.
var ourRuns = map[string]harness.Run{
	"queue int64 1:1":  queueInts(1, 1),
	"queue int64 4:4":  queueInts(4, 4),
	"queue leases 1:1": queueLeases(1, 1),
	"queue 1K":         queueBlocks(1<<10, smallCap),
	"queue 64K":        queueBlocks(64<<10, largeCap),
	"queue struct":     queueRecords(structs),
	"queue map":        queueRecords(maps),
	"conn busy":        connTrips(0),
	"conn parked":      connTrips(pauseUS),
	"value 1":          updateValue(1),
	"value 2":          updateValue(2),
	"counter":          addCounter,
	"start cold":       startCold,
	"start spare":      startSpare,
	"sum 1":            sumArray(1),
	"sum 2":            sumArray(2),
	"parked":           parkedCPU,
	"resident queue":   residentOf("queue"),
	"resident value":   residentOf("value"),
	"manager 1":        managerCalls(1),
	"manager 64":       managerCalls(64),
	"idle clients":     idleClients,

	"semaphore":        semaphoreAlone,
	"recursive mutex":  recursiveAlone,
	"rwmutex read":     readAlone,
	"rwmutex write":    writeAlone,
	"rwmutex read 1":   readTogether(1),
	"rwmutex read 2":   readTogether(2),
	"event":            eventAlone,
	"hand-over busy":   handOver(false),
	"hand-over parked": handOver(true),
	"cond busy":        condHandOver(false),
	"cond parked":      condHandOver(true),
	"barrier busy":     barrierTrips,

	"dict get 1000":      dictCalls(dictWork{Keys: 1_000}, number, number),
	"dict set 1000":      dictCalls(dictWork{Keys: 1_000, Sets: 100}, number, number),
	"dict get 1000000":   dictCalls(dictWork{Keys: 1_000_000}, number, number),
	"dict set 1000000":   dictCalls(dictWork{Keys: 1_000_000, Sets: 100}, number, number),
	"dict text get":      dictCalls(dictWork{Keys: 100_000}, text, hundredBytes),
	"dict text set":      dictCalls(dictWork{Keys: 100_000, Sets: 100}, text, hundredBytes),
	"list append":        listCalls(0, listAppend),
	"list get 1000":      listCalls(1_000, listGet),
	"list get 1000000":   listCalls(1_000_000, listGet),
	"list insert":        listCalls(1_000_000, listInsert),
	"slice append":       sliceCalls(0, func(s []int, at int) []int { return append(s, at) }),
	"slice get 1000":     sliceCalls(1_000, sliceGet),
	"slice get 1000000":  sliceCalls(1_000_000, sliceGet),
	"slice insert":       sliceCalls(1_000_000, func(s []int, at int) []int { return slices.Insert(s, at, at) }),
	"dict gap read":      longestGap(false, gapRead),
	"dict gap write":     longestGap(false, gapWrite),
	"dict calm read":     longestGap(true, gapRead),
	"dict calm write":    longestGap(true, gapWrite),
	"dict half":          dictCalls(dictWork{Keys: 1_000, Sets: 50}, number, number),
	"map get 1000":       mapCalls(dictWork{Keys: 1_000}, number, number),
	"map set 1000":       mapCalls(dictWork{Keys: 1_000, Sets: 100}, number, number),
	"map get 1000000":    mapCalls(dictWork{Keys: 1_000_000}, number, number),
	"map set 1000000":    mapCalls(dictWork{Keys: 1_000_000, Sets: 100}, number, number),
	"map text get":       mapCalls(dictWork{Keys: 100_000}, text, hundredBytes),
	"map text set":       mapCalls(dictWork{Keys: 100_000, Sets: 100}, text, hundredBytes),
	"dict 1 reads":       dictTogether(1, dictWork{Keys: 100_000}),
	"dict 2 reads":       dictTogether(2, dictWork{Keys: 100_000}),
	"dict 1 some writes": dictTogether(1, dictWork{Keys: 100_000, Sets: 10}),
	"dict 2 some writes": dictTogether(2, dictWork{Keys: 100_000, Sets: 10}),
	"dict 1 writes":      dictTogether(1, dictWork{Keys: 100_000, Sets: 100}),
	"dict 2 writes":      dictTogether(2, dictWork{Keys: 100_000, Sets: 100}),
	"dict 1 hot":         dictTogether(1, dictWork{Keys: 1}),
	"dict 2 hot":         dictTogether(2, dictWork{Keys: 1}),

	"pool map":          poolNumbers(pool.Call{}),
	"pool one":          poolNumbers(pool.Call{Chunk: 1}),
	"pool submit":       poolSubmit,
	"pool spin 1":       poolSpin(1),
	"pool spin 2":       poolSpin(2),
	"pool blocks":       poolBlocks,
	"pool kill":         poolKills(stats.Median),
	"pool kill slowest": poolKills(slices.Max[[]float64]),
	"pool recycle":      poolRecycle,
	"pool ahead":        poolAhead,
	"pool growth":       poolGrowth,
}
