//go:build linux

package main

import (
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"multiproc/mptest"
)

func TestMain(m *testing.M) { mptest.Main(m) }

// call is one that has an answer, lost one that has none, died the end of a client.
func call(client int, o op, a answer, from, to int64) porcupine.Operation {
	o.client = client
	return porcupine.Operation{ClientId: client, Input: o, Output: a, Call: from, Return: to}
}

func lost(client int, o op, from int64) porcupine.Operation {
	return call(client, o, answer{unknown: true}, from, math.MaxInt64)
}

func died(client int, from, to int64) porcupine.Operation {
	return porcupine.Operation{
		ClientId: clients + client, Input: op{code: death, key: client}, Output: answer{unknown: true}, Call: from, Return: to,
	}
}

func modelOf(t *testing.T, name string) porcupine.Model {
	for _, s := range subjects {
		if s.name == name {
			return s.model
		}
	}
	t.Fatal("no subject", name)
	return porcupine.Model{}
}

// What must be found is found, and what is allowed is not.
func TestModels(t *testing.T) {
	yes, no := answer{ok: true}, answer{}
	is := func(n int) answer { return answer{ok: true, out: n} }
	for _, c := range []struct {
		name, subject string
		list          []porcupine.Operation
		want          bool
	}{
		{"a set that is lost", "dict", []porcupine.Operation{
			call(1, op{code: set, arg: 7}, yes, 1, 2), call(2, op{code: get}, no, 3, 4),
		}, false},
		{"a set whose process was killed", "dict", []porcupine.Operation{
			lost(1, op{code: set, arg: 7}, 1), call(2, op{code: get}, no, 3, 4), call(2, op{code: get}, is(7), 5, 6),
		}, true},
		{"one that comes and goes", "dict", []porcupine.Operation{
			lost(1, op{code: set, arg: 7}, 1), call(2, op{code: get}, is(7), 3, 4), call(2, op{code: get}, no, 5, 6),
		}, false},
		{"an addition that is lost", "value", []porcupine.Operation{
			call(1, op{code: add, arg: 1}, is(1), 1, 4), call(2, op{code: add, arg: 1}, is(1), 2, 3),
		}, false},
		{"an item that is lost", "queue", []porcupine.Operation{
			call(1, op{code: putItem, arg: 7}, yes, 1, 2), call(2, op{code: take}, no, 3, 4),
		}, false},
		{"an item that comes twice", "queue", []porcupine.Operation{
			call(1, op{code: putItem, arg: 7}, yes, 1, 2), call(1, op{code: take}, is(7), 3, 5), call(2, op{code: take}, is(7), 4, 6),
		}, false},
		{"a loan of the dead", "queue with leases", []porcupine.Operation{
			call(1, op{code: putItem, arg: 7}, yes, 1, 2), call(2, op{code: receive}, is(7), 3, 4), died(2, 5, 9),
			call(1, op{code: receive}, no, 6, 7), call(1, op{code: receive}, is(7), 10, 11),
		}, true},
		{"a loan of the living", "queue with leases", []porcupine.Operation{
			call(1, op{code: putItem, arg: 7}, yes, 1, 2), call(2, op{code: receive}, is(7), 3, 4),
			call(1, op{code: receive}, is(7), 5, 6),
		}, false},
		{"permits of the dead", "semaphore", []porcupine.Operation{
			call(1, op{code: acquire, arg: permits}, yes, 1, 2), died(1, 2, 5), call(2, op{code: acquire, arg: permits}, yes, 6, 7),
		}, true},
		{"permits that stay with the dead", "semaphore", []porcupine.Operation{
			call(1, op{code: acquire, arg: permits}, yes, 1, 2), died(1, 3, 5), call(2, op{code: acquire, arg: 1}, no, 6, 7),
		}, false},
		{"two holders of a mutex", "mutex", []porcupine.Operation{
			call(1, op{code: acquire}, yes, 1, 2), call(2, op{code: acquire}, yes, 3, 4), call(1, op{code: release}, yes, 5, 6),
		}, false},
		{"one after the other", "mutex", []porcupine.Operation{
			call(1, op{code: acquire}, yes, 1, 2), call(2, op{code: acquire}, no, 3, 4), call(1, op{code: release}, yes, 5, 6),
			call(2, op{code: acquire}, yes, 7, 8),
		}, true},
		{"a holder who died and nobody is told", "mutex", []porcupine.Operation{
			call(1, op{code: acquire}, yes, 1, 2), died(1, 3, 5), call(2, op{code: acquire}, yes, 6, 7),
		}, false},
		{"one who is told, and repairs", "mutex", []porcupine.Operation{
			call(1, op{code: acquire}, yes, 1, 2), died(1, 3, 5), call(2, op{code: acquire}, broken, 6, 7),
			call(2, op{code: repair}, yes, 8, 9), call(2, op{code: acquire}, yes, 10, 11),
		}, true},
		{"a reader beside a writer", "rwmutex", []porcupine.Operation{
			call(1, op{code: acquire}, yes, 1, 2), call(2, op{code: acquireRead}, yes, 3, 4), call(1, op{code: release}, yes, 5, 6),
		}, false},
		{"readers, of whom one dies", "rwmutex", []porcupine.Operation{
			call(1, op{code: acquireRead}, yes, 1, 2), call(2, op{code: acquireRead}, yes, 3, 4), died(1, 5, 6),
			call(2, op{code: releaseRead}, yes, 7, 8), call(2, op{code: acquire}, yes, 9, 10),
		}, true},
		{"an element that is lost", "list", []porcupine.Operation{
			call(1, op{code: putItem, arg: 7}, yes, 1, 2), call(2, op{code: insert, arg: 8}, yes, 1, 2),
			call(1, op{code: take}, is(7), 3, 4),
		}, false},
		{"an element killed in the middle", "list", []porcupine.Operation{
			call(1, op{code: putItem, arg: 7}, yes, 1, 2), lost(2, op{code: insert, arg: 8}, 1),
			call(1, op{code: take}, is(8), 3, 4), call(1, op{code: take}, is(7), 5, 6), call(1, op{code: take}, no, 7, 8),
		}, true},
	} {
		if got := porcupine.CheckOperations(modelOf(t, c.subject), c.list); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// One round of everything in memory.
func TestRound(t *testing.T) {
	for i := range subjects {
		var sum tally
		if err := round(t.Context(), i, place{name: "memory", within: 5 * time.Microsecond, calls: 20}, 1, &sum); err != nil {
			t.Error(err)
		}
		if sum.calls == 0 || sum.violations != 0 {
			t.Errorf("%s: %+v", subjects[i].name, sum)
		}
	}
}
