//go:build linux

package local

import (
	"context"
	"sync"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

// Memory keeps the contract of a place: as it is, and with names, which let the
// contract's tests come by a second handle to an object.
func TestContract(t *testing.T) {
	drivertest.Run(t, func(*testing.T) driver.Place { return testPlace() })
}

func TestContractWithNames(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) driver.Place {
		p := &named{Place: testPlace(), m: map[string]namedSegment{}}
		t.Cleanup(func() {
			for _, s := range p.m {
				_ = s.seg.Close()
			}
		})
		return p
	})
}

// named is memory whose objects can have names, in this process.
type named struct {
	*Place
	mu sync.Mutex
	m  map[string]namedSegment
}

type namedSegment struct {
	kind driver.Kind
	seg  *shm.Segment
}

func (p *named) Open(ctx context.Context, spec driver.Spec) (driver.Object, error) {
	name := spec.Name
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.m[name]; !ok && spec.Kind == driver.KindMutex { // it is given back through the handle that took it, and no other of its process
		return p.Place.Open(ctx, spec)
	}
	if spec.Name = ""; name == "" {
		return p.Place.Open(ctx, spec)
	}
	if s, ok := p.m[name]; ok {
		if s.kind != spec.Kind {
			return nil, mperr.ErrType
		}
		o, err := p.Attach(again(s.seg))
		return under(o, name), err
	}
	o, err := p.Place.Open(ctx, spec)
	if err != nil {
		return nil, err
	}
	seg, release, err := o.(Object).Borrow()
	if err != nil {
		return nil, err
	}
	defer release()
	p.m[name] = namedSegment{spec.Kind, again(seg)}
	return under(o, name), nil
}

// again is the same segment once more.
func again(seg *shm.Segment) *shm.Segment {
	fd, err := seg.Dup()
	if err != nil {
		panic(err)
	}
	s, err := shm.Open(fd, shm.Want{Kind: seg.Kind, Family: seg.Family})
	if err != nil {
		panic(err)
	}
	return s
}

// under is an object that calls itself by its name.
func under(o driver.Object, name string) driver.Object {
	switch o := o.(type) {
	case *recursive:
		return namedRecursive{o, name}
	case *semaphore:
		return namedSemaphore{o, name}
	case *event:
		return namedEvent{o, name}
	case *barrier:
		return namedBarrier{o, name}
	case *waitGroup:
		return namedWaitGroup{o, name}
	case *once:
		return namedOnce{o, name}
	case *dictionary:
		return namedDict{o, name}
	case *set:
		return namedSet{o, name}
	case *sequence:
		return namedList{o, name}
	default:
		return o
	}
}

type (
	namedRecursive struct {
		driver.RecursiveMutex
		name string
	}
	namedSemaphore struct {
		driver.Semaphore
		name string
	}
	namedEvent struct {
		driver.Event
		name string
	}
	namedBarrier struct {
		driver.Barrier
		name string
	}
	namedWaitGroup struct {
		driver.WaitGroup
		name string
	}
	namedOnce struct {
		driver.Once
		name string
	}
	namedDict struct {
		*dictionary
		name string
	}
	namedSet struct {
		*set
		name string
	}
	namedList struct {
		*sequence
		name string
	}
)

func (n namedRecursive) String() string { return n.name }
func (n namedSemaphore) String() string { return n.name }
func (n namedEvent) String() string     { return n.name }
func (n namedBarrier) String() string   { return n.name }
func (n namedWaitGroup) String() string { return n.name }
func (n namedOnce) String() string      { return n.name }
func (n namedDict) String() string      { return n.name }
func (n namedSet) String() string       { return n.name }
func (n namedList) String() string      { return n.name }
