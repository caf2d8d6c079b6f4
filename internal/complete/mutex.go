package complete

import (
	"context"

	"multiproc/mp/driver"
)

// Mutex is all that a mutex can do.
type Mutex interface {
	driver.Mutex
	driver.MutexOwner
}

// Cond is all that a cond can do.
type Cond interface {
	driver.Cond
	driver.MutexOwner
}

// RWMutex is all that an rwmutex can do.
type RWMutex interface {
	driver.RWMutex
	driver.MutexOwner
}

// These have everything but Owner, or they would not be wrapped.
type (
	mutex struct {
		driver.Mutex
		noOwner
	}
	cond struct {
		driver.Cond
		noOwner
	}
	rwMutex struct {
		driver.RWMutex
		noOwner
	}
)

func newMutex(o driver.Mutex) Mutex { return &mutex{o, noOwner{o, driver.KindMutex}} }

func newCond(o driver.Cond) Cond { return &cond{o, noOwner{o, driver.KindCond}} }

func newRWMutex(o driver.RWMutex) RWMutex { return &rwMutex{o, noOwner{o, driver.KindRWMutex}} }

type noOwner struct {
	o    driver.Object
	kind driver.Kind
}

func (n noOwner) bare() driver.Object { return n.o }

func (n noOwner) Owner(context.Context) (int, error) { return 0, &Missing{n.o, n.kind, "Owner"} }
