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
	mine *mine
	held int    // how often through this handle, since mine.time; under mine.mu
	time uint64 // the time that held is of
}

var _ driver.RecursiveMutex = (*recursive)(nil)

// mine is what a process has of a recursive mutex. It has a mapping of its own, so
// that it can be given back when no handle is left.
type mine struct {
	seg     *shm.Segment
	lock    robust.Lock
	handles int // under mines.mu

	mu     sync.Mutex
	depth  int           // of the process; 0: it does not have the mutex
	time   uint64        // how often it has given it back
	taking chan struct{} // closed when the goroutine that takes the lock has it, or gives up
}

// mines are those of this process.
var mines = struct {
	mu sync.Mutex
	m  map[shm.ID]*mine
}{m: map[shm.ID]*mine{}}

func newRecursive(p *Place, seg *shm.Segment) (*recursive, error) {
	if err := wants(seg, robust.LockSize); err != nil {
		return nil, err
	}
	m, err := mineOf(seg)
	if err != nil {
		_ = seg.Close()
		return nil, err
	}
	r := &recursive{object: object{place: p}, mine: m}
	if err := r.Adopt(seg, seg.Size, func() {}, m.leave); err != nil {
		m.leave()
		return nil, err
	}
	return r, nil
}

// mineOf is the process's part in a mutex, for one more handle.
func mineOf(seg *shm.Segment) (*mine, error) {
	another := func() *mine {
		m := mines.m[seg.ID]
		if m != nil {
			m.handles++
		}
		return m
	}
	mines.mu.Lock()
	m := another()
	mines.mu.Unlock()
	if m != nil {
		return m, nil
	}
	// Without the lock: to map may wait for handles that were forgotten to be closed.
	fd, err := seg.Dup()
	if err != nil {
		return nil, err
	}
	own, err := shm.Open(fd, shm.Want{Kind: seg.Kind, Family: seg.Family})
	if err != nil {
		return nil, err
	}
	mem, err := own.Map(0, shm.PageSize())
	if err != nil {
		_ = own.Close()
		return nil, err
	}
	mines.mu.Lock()
	defer mines.mu.Unlock()
	if m = another(); m != nil {
		_ = own.Close()
		return m, nil
	}
	m = &mine{seg: own, handles: 1}
	m.lock.Init(unsafe.Add(mem, shm.HeaderSize))
	m.lock.AllowResident()
	mines.m[seg.ID] = m
	return m, nil
}

// leave is called when a handle is gone.
func (m *mine) leave() {
	mines.mu.Lock()
	defer mines.mu.Unlock()
	m.handles--
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end()
}

// end gives the memory back if nobody needs it any more. Both locks are held.
func (m *mine) end() {
	if m.handles == 0 && m.depth == 0 && mines.m[m.seg.ID] == m {
		delete(mines.m, m.seg.ID)
		m.lock.Detach()
		_ = m.seg.Close()
	}
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

// until calls f with a context that ends when the handle is closed, too.
func (r *recursive) until(ctx context.Context, f func(context.Context) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	defer r.OnClose(cancel)()
	if r.Closed() {
		cancel()
	}
	err := f(inner)
	if err != nil && ctx.Err() == nil && r.Closed() {
		return r.ErrClosed()
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

func (r *recursive) Unlock(context.Context) error {
	open := r.Enter()
	err := r.giveBack(open)
	if open {
		r.Exit()
		return err
	}
	mines.mu.Lock()
	defer mines.mu.Unlock()
	r.mine.mu.Lock()
	defer r.mine.mu.Unlock()
	r.mine.end()
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
