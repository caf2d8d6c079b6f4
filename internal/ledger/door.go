package ledger

import (
	"context"
	"sync"

	"multiproc/internal/mperr"
	"multiproc/internal/shm"
)

// door lets one goroutine of a process at a time stand in the line of an object, for
// which the process has one place, however many handles it has.
type door struct {
	id      shm.ID
	way     chan struct{} // holds something while somebody is inside
	handles int           // under doors.mu
}

// doors are those of this process.
var doors = struct {
	mu sync.Mutex
	m  map[shm.ID]*door
}{m: map[shm.ID]*door{}}

// doorOf is the door for one more handle.
func doorOf(id shm.ID) *door {
	doors.mu.Lock()
	defer doors.mu.Unlock()
	d := doors.m[id]
	if d == nil {
		d = &door{id: id, way: make(chan struct{}, 1)}
		doors.m[id] = d
	}
	d.handles++
	return d
}

// leave is called when a handle is gone.
func (d *door) leave() {
	doors.mu.Lock()
	defer doors.mu.Unlock()
	if d.handles--; d.handles == 0 {
		delete(doors.m, d.id)
	}
}

// enter waits until nobody is inside; who came first is first.
func (d *door) enter(ctx context.Context, closed <-chan struct{}) error {
	select {
	case d.way <- struct{}{}:
		return nil
	case <-closed:
		return mperr.ErrClosed
	case <-ctx.Done():
		return mperr.Ended(ctx)
	}
}

func (d *door) exit() { <-d.way }
