package local

import (
	"context"
	"sync"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// recursive implements driver.RecursiveMutex. Its memory is a robust lock. How often
// it was taken is this process's own affair: all handles of the process to one mutex
// share a mine.
type recursive struct {
	object
	shared *shared[*mine]
	mine   *mine  // in shared
	held   int    // how often through this handle, since mine.time; under mine.mu
	time   uint64 // the time that held is of
}

var _ driver.RecursiveMutex = (*recursive)(nil)

// mine is what a process has of a recursive mutex.
type mine struct {
	lock robust.Lock

	mu     sync.Mutex
	depth  int           // of the process; 0: it does not have the mutex
	time   uint64        // how often it has given it back
	taking chan struct{} // closed when the goroutine that takes the lock has it, or gives up
}

// mines are those of this process.
var mines = sharing[*mine]{size: robust.LockSize}

func newMine(body unsafe.Pointer) *mine {
	m := &mine{}
	m.lock.Init(body)
	m.lock.AllowResident()
	return m
}

func (m *mine) idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.depth == 0
}

func (m *mine) detach() { m.lock.Detach() }

func newRecursive(p *Place, seg *shm.Segment) (*recursive, error) {
	if err := wants(seg, robust.LockSize); err != nil {
		return nil, err
	}
	m, err := mines.of(seg, newMine)
	if err != nil {
		_ = seg.Close()
		return nil, err
	}
	r := &recursive{object: object{place: p}, mine: m.part, shared: m}
	if err := r.Adopt(seg, shm.HeaderSize, func() {}, m.leave); err != nil {
		m.leave()
		return nil, err
	}
	return r, nil
}

func (r *recursive) Lock(ctx context.Context) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer r.Exit()
	m := r.mine
	for {
		m.mu.Lock()
		ok, err := r.take()
		taking := m.taking
		if !ok && err == nil && taking == nil {
			m.taking = make(chan struct{})
		}
		m.mu.Unlock()
		switch {
		case ok || err != nil:
			return r.named(err)
		case taking == nil:
			return r.named(r.await(ctx))
		}
		err = r.until(ctx, func(ctx context.Context) error {
			select {
			case <-taking:
				return nil
			case <-ctx.Done():
				return mperr.Ended(ctx)
			}
		})
		if err != nil {
			return r.named(err)
		}
	}
}

// take takes the mutex if this process has it, or nobody. m.mu is held.
func (r *recursive) take() (bool, error) {
	m := r.mine
	if m.depth == 0 {
		if m.taking != nil {
			return false, nil
		}
		// Whether an owner has died is nothing to who comes next.
		if ok, _, err := m.lock.TryLock(); !ok || err != nil {
			return false, err
		}
	}
	r.count(+1)
	return true, nil
}

// count notes that the mutex was taken once more, or less. m.mu is held.
func (r *recursive) count(n int) {
	m := r.mine
	if r.time != m.time {
		r.time, r.held = m.time, 0
	}
	m.depth += n
	if r.held = max(r.held+n, 0); m.depth == 0 {
		m.time++
	}
}

// await waits for the lock, for this goroutine and all others of the process that
// want it.
func (r *recursive) await(ctx context.Context) error {
	m := r.mine
	err := r.until(ctx, func(ctx context.Context) error {
		_, err := m.lock.Lock(ctx)
		return err
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.taking)
	if m.taking = nil; err == nil {
		r.count(+1)
	}
	return err
}

func (r *recursive) TryLock(ctx context.Context) (bool, error) {
	if err := r.enter(ctx); err != nil {
		return false, err
	}
	defer r.Exit()
	r.mine.mu.Lock()
	defer r.mine.mu.Unlock()
	ok, err := r.take()
	return ok, r.named(err)
}

func (r *recursive) Unlock(context.Context) (err error) {
	if r.Enter() {
		defer r.Exit()
		return r.giveBack(true)
	}
	if r.shared == nil || !r.shared.late(func() { err = r.giveBack(false) }) {
		return r.ErrClosed()
	}
	return err
}

// giveBack takes back one Lock: of any handle, if this one is open, or of its own.
func (r *recursive) giveBack(open bool) error {
	m := r.mine
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !open && (r.held == 0 || r.time != m.time):
		return r.ErrClosed()
	case m.depth == 0:
		return r.named(mperr.ErrNotHeld)
	}
	if r.count(-1); m.depth == 0 {
		m.lock.Unlock()
	}
	return nil
}
