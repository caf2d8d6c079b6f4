//go:build linux

package main

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// code says which call an op is.
type code uint8

const (
	get code = iota
	set
	remove
	add
	swap
	pop
	setDefault
	insert
	putItem
	take
	receive
	ack
	nack
	acquire
	release
	setAll
	copyAll
	acquireRead
	releaseRead
	repair
	death
)

var names = [...]string{
	"get", "set", "remove", "add", "swap", "pop", "setDefault", "insert", "put", "take", "receive", "ack", "nack", "acquire",
	"release", "setAll", "copyAll", "acquireRead", "releaseRead", "repair", "death",
}

func describe(o op) string {
	return fmt.Sprintf("%d: %s(key %d, %d, %d)", o.client, names[o.code], o.key, o.arg, o.more)
}

// step is a model: what becomes of a state by a call, and what the call is told. Of a
// death nobody is told anything. heard says that the one who called has heard the answer.
type step[S any] func(s S, o op, heard bool) (S, answer)

// model makes porcupine's of it.
func model[S any](init S, equal func(a, b S) bool, f step[S]) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return init },
		Step: func(state, input, output any) (bool, any) {
			got := output.(answer)
			next, want := f(state.(S), input.(op), !got.unknown)
			return got.unknown || got == want, next
		},
		Equal: func(a, b any) bool { return equal(a.(S), b.(S)) },
		DescribeOperation: func(input, output any) string {
			a := output.(answer)
			if a.unknown {
				return describe(input.(op)) + " = ?"
			}
			return fmt.Sprintf("%s = %d, %v", describe(input.(op)), a.out, a.ok)
		},
	}
}

func same[S comparable](a, b S) bool { return a == b }

// byKey has a history checked key by key, which takes much less.
func byKey(list []porcupine.Operation) [][]porcupine.Operation {
	parts := map[int][]porcupine.Operation{}
	for _, o := range list {
		if o.Input.(op).code != death {
			parts[o.Input.(op).key] = append(parts[o.Input.(op).key], o)
		}
	}
	var out [][]porcupine.Operation
	for _, p := range parts {
		out = append(out, p)
	}
	return out
}

// cell is an entry of a dictionary or a set, or a value.
type cell struct {
	there bool
	v     int
}

func cellStep(s cell, o op, _ bool) (cell, answer) {
	was := answer{ok: s.there, out: s.v}
	switch o.code {
	case get:
		return s, was
	case set:
		return cell{true, o.arg}, answer{ok: true}
	case remove:
		return cell{}, answer{ok: s.there}
	case pop:
		return cell{}, was
	case add:
		s = cell{true, s.v + o.arg}
		return s, answer{ok: true, out: s.v}
	case swap:
		if s.there && s.v == o.arg {
			return cell{true, o.more}, answer{ok: true}
		}
		return s, answer{}
	case insert:
		return cell{there: true}, answer{ok: !s.there}
	case setDefault:
		if !s.there {
			s = cell{true, o.arg}
		}
		return s, answer{ok: true, out: s.v}
	}
	panic(describe(o))
}

func cellModel(init cell) porcupine.Model {
	m := model(init, same[cell], cellStep)
	m.Partition = byKey
	return m
}

// allStep is a dictionary of which all entries are set and read at one moment.
func allStep(s int, o op, _ bool) (int, answer) {
	if o.code == setAll {
		return o.arg, answer{ok: true}
	}
	return s, answer{ok: true, out: s}
}

// loan is an item of a queue, and who has it: 0 nobody.
type loan struct{ item, owner int }

// queueStep is a queue; what comes back is where it was. An item that was taken by one who
// has not heard of it is his in a place, which puts it back when it hears of his death; in
// memory it is gone with him.
func queueStep(s []loan, o op, heard bool) ([]loan, answer) {
	at := -1
	switch o.code {
	case putItem:
		return append(slices.Clone(s), loan{item: o.arg}), answer{ok: true}
	case take, receive:
		at = slices.IndexFunc(s, func(l loan) bool { return l.owner == 0 })
	case ack, nack:
		at = slices.Index(s, loan{o.arg, o.client})
	case death:
		s = slices.Clone(s)
		for i := range s {
			if s[i].owner == o.key {
				s[i].owner = 0
			}
		}
		return s, answer{}
	}
	if at < 0 {
		return s, answer{}
	}
	s = slices.Clone(s)
	a := answer{ok: true, out: s[at].item}
	switch {
	case o.code == receive, o.code == take && !heard:
		s[at].owner = o.client
	case o.code == nack:
		s[at].owner, a.out = 0, 0
	case o.code == ack:
		a.out = 0
		fallthrough
	default:
		s = slices.Delete(s, at, at+1)
	}
	return s, a
}

// permits are those of a semaphore that each client has; the rest is free.
func permitStep(s [clients]int, o op, _ bool) ([clients]int, answer) {
	free := permits
	for _, n := range s {
		free -= n
	}
	switch o.code {
	case acquire:
		if free < o.arg {
			return s, answer{}
		}
		s[o.client] += o.arg
	case release:
		s[o.client] -= o.arg
	case death:
		s[o.key] = 0
		return s, answer{}
	}
	return s, answer{ok: true}
}

// sequenceStep is a list. Index 0 is the first, 1 the last element.
func sequenceStep(s []int, o op, _ bool) ([]int, answer) {
	i := o.key * (len(s) - 1)
	switch o.code {
	case putItem:
		return append(slices.Clone(s), o.arg), answer{ok: true}
	case insert:
		return append([]int{o.arg}, s...), answer{ok: true}
	}
	if len(s) == 0 {
		return s, answer{}
	}
	a := answer{ok: true, out: s[i]}
	switch o.code {
	case get:
	case set:
		s, a.out = slices.Clone(s), 0
		s[i] = o.arg
	case swap:
		if a.out = 0; s[i] != o.arg {
			return s, answer{}
		}
		s = slices.Clone(s)
		s[i] = o.more
	case add:
		s = slices.Clone(s)
		s[i] += o.arg
		a.out = s[i]
	case take:
		s = slices.Delete(slices.Clone(s), i, i+1)
	default:
		panic(describe(o))
	}
	return s, a
}

// lockState is who writes, 0 nobody, who reads, and whether a writer has died.
type lockState struct {
	writer  int
	readers [clients]bool
	broken  bool
}

// broken is the answer of a lock whose holder has died.
var broken = answer{out: 1}

// lockModel is lockStep, of which a try may always be told no: a Repair, or somebody who
// tries and finds out that the lock is broken, or that there are readers, has the lock for
// a while in which it is taken for nobody in the model.
func lockModel() porcupine.Model {
	m := model(lockState{}, same[lockState], lockStep)
	strict := m.Step
	m.Step = func(state, input, output any) (bool, any) {
		if c := input.(op).code; (c == acquire || c == acquireRead) && output.(answer) == (answer{}) {
			return true, state
		}
		return strict(state, input, output)
	}
	return m
}

// lockStep is a mutex, and one for readers and writers. A repair is heard of: whoever is to
// die makes none, for it might do so in the middle, with the lock.
func lockStep(s lockState, o op, _ bool) (lockState, answer) {
	free, none := s.writer == 0, [clients]bool{}
	switch o.code {
	case acquire, acquireRead:
		switch {
		case !free || o.code == acquire && s.readers != none:
			return s, answer{}
		case s.broken:
			return s, broken
		case o.code == acquire:
			s.writer = o.client
		default:
			s.readers[o.client] = true
		}
	case release:
		s.writer = 0
	case releaseRead:
		s.readers[o.client] = false
	case repair: // it waits until the lock is free
		if !free || s.readers != none {
			return s, answer{}
		}
		s.broken = false
	case death:
		if s.writer == o.key {
			s.writer, s.broken = 0, true
		}
		s.readers[o.key] = false
		return s, answer{}
	}
	return s, answer{ok: true}
}
