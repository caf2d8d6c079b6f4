package mp

import (
	"context"

	"multiproc/mp/driver"
)

// Event is a flag that one sets and others wait for, in shared memory or in a place:
// Python's Event.
//
// What a process did before Set happens before what follows a Wait that it
// ends. The death of a process leaves the flag as it is.
//
// Cost: in memory some 30 ns where nobody waits, and a system call to wake who does;
// in a place a round trip each.
type Event struct {
	travels
	h handle[driver.Event]
}

// NewEvent makes an event that is not set; see In and WithName.
func NewEvent(opts ...Option) (*Event, error) {
	e := &Event{}
	return made(e, newObject(&e.h, driver.KindEvent, opts))
}

// Set sets the flag: all who wait go on, and nobody waits until Clear.
func (e *Event) Set(ctx context.Context) error { return e.h.do(ctx, driver.Event.Set) }

// Clear takes the flag back.
func (e *Event) Clear(ctx context.Context) error { return e.h.do(ctx, driver.Event.Clear) }

// IsSet reports whether the flag is set.
func (e *Event) IsSet(ctx context.Context) (bool, error) {
	return ask(ctx, &e.h, driver.Event.IsSet)
}

// Wait returns when the flag is set. It does not miss a Set that is followed by
// Clear at once.
func (e *Event) Wait(ctx context.Context) error { return e.h.do(ctx, driver.Event.Wait) }

// Close gives the handle back.
func (e *Event) Close() error { return e.h.Close() }

// String names the object.
func (e *Event) String() string { return e.h.String() }

func (e *Event) travel() traveller { return &e.h }
