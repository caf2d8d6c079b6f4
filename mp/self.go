package mp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
)

// Info describes this process.
type Info struct {
	PID  int
	Name string // "main" in the family's first process

	identity string // "2:1": the first child of the root's second; "" in the root
}

var self atomic.Pointer[Info]

// Self returns this process's place in its family.
func Self() Info {
	if i := self.Load(); i != nil {
		return *i
	}
	return Info{PID: os.Getpid(), Name: "main"}
}

// ParentProcess is the process that started this one.
type ParentProcess struct {
	pid  int
	name string
	done chan struct{}
}

var parent atomic.Pointer[ParentProcess]

// Parent returns the process that started this one, or nil in the family's
// first process.
func Parent() *ParentProcess { return parent.Load() }

// PID is the parent's process id.
func (p *ParentProcess) PID() int { return p.pid }

// Name is the parent's name.
func (p *ParentProcess) Name() string { return p.name }

// Done is closed when the parent is gone. The task's context ends in the same
// moment, with the cause ErrOrphaned, and this process is killed half a second
// later at most.
func (p *ParentProcess) Done() <-chan struct{} { return p.done }

// offspring are the processes that this one has started and that still run.
var offspring childSet

type childSet struct {
	mu sync.Mutex
	m  map[*child]struct{}
}

func (s *childSet) add(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[*child]struct{}{}
	}
	s.m[c] = struct{}{}
}

func (s *childSet) remove(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, c)
}

func (s *childSet) list() []*child {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*child, 0, len(s.m))
	for c := range s.m {
		list = append(list, c)
	}
	return list
}

// Children returns the processes that this one has started and that still
// run, in no order. Spares are not among them.
func Children() []Child {
	var list []Child
	for _, c := range offspring.list() {
		list = append(list, c.face)
	}
	return list
}

// WaitAll waits for all these processes and returns their errors joined, nil
// if every task returned nil. When ctx ends it returns an error that wraps
// ErrRunning beside those of the processes that have ended. Processes of
// different result types are named by what they have in common:
// WaitAll[mp.Child](ctx, p, q).
func WaitAll[P Child](ctx context.Context, processes ...P) error {
	var failed []error
	for i, c := range processes {
		if v := reflect.ValueOf(c); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			failed = append(failed, fmt.Errorf("wait for all: process %d is nil", i))
			continue
		}
		if err := c.Wait(ctx); err != nil {
			failed = append(failed, err)
			if ctx.Err() != nil && c.State().Running {
				break // one such error says it for the rest
			}
		}
	}
	return errors.Join(failed...)
}
