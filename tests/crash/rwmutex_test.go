//go:build mpcrash

package crash

import (
	"context"
	"errors"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

// library is a lock for readers and writers, and what one does who dies with it.
type library struct {
	Point string
	N     int
	Do    string
	M     *mp.RWMutex
}

var Visit = mp.Proc(func(ctx context.Context, l library) error {
	mptest.Arm(l.Point, l.N)
	for range enough {
		var err error
		switch l.Do {
		case "read":
			if err = l.M.RLock(ctx); err == nil {
				l.M.RUnlock()
			}
		case "try to read":
			_, err = l.M.TryRLock(ctx)
		case "wait to read":
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			if err = l.M.RLock(short); errors.Is(err, context.DeadlineExceeded) {
				err = nil
			}
			cancel()
		case "write":
			if err = l.M.Lock(ctx); err == nil {
				l.M.Unlock()
			}
		case "wait to write":
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			if err = l.M.Lock(short); errors.Is(err, context.DeadlineExceeded) {
				err = nil
			}
			cancel()
		case "inherit": // whatever it is
			_, _ = l.M.TryLock(ctx)
		case "repair":
			err = l.M.Repair(ctx, func() error { return nil })
		}
		if err != nil {
			return err
		}
	}
	return errAlive
}, mp.Named("visit"))

func newLibrary(t *testing.T) library {
	t.Helper()
	m, err := mp.NewRWMutex()
	return library{M: closing(t, m, err)}
}

// at says what a victim does, and where it dies.
func (l library) at(do, point string, n int) library {
	l.Do, l.Point, l.N = do, point, n
	return l
}

// works checks that both sides get the lock, or, if it is broken, after Repair.
func (l library) works(t *testing.T, broken bool) {
	t.Helper()
	ctx, begin := t.Context(), time.Now()
	var died *mp.OwnerDiedError
	if broken {
		for what, err := range map[string]error{"RLock": l.M.RLock(ctx), "Lock": l.M.Lock(ctx)} {
			if !errors.As(err, &died) {
				t.Fatalf("%s of what a writer has left: %v", what, err)
			}
		}
		must(t, l.M.Repair(ctx, func() error { return nil }))
	}
	must(t, l.M.Lock(ctx))
	l.M.Unlock()
	must(t, l.M.RLock(ctx))
	if ok, err := l.M.TryLock(ctx); ok || err != nil {
		t.Errorf("a writer beside a reader: %v", err)
	}
	l.M.RUnlock()
	stalled(t, time.Since(begin))
}

// libraryReader dies on its way in or out, with a writer who waits for it or is to come.
func libraryReader(t *testing.T, point string) {
	l, n := newLibrary(t), 3
	if point == "rwlock.high" || point == "rwlock.opened" {
		n = 1 // once in the life of a process
	}
	die(t, Visit, l.at("read", point, n))
	l.works(t, false)
	wrote := make(chan error, 1)
	p, err := Visit.Start(t.Context(), l.at("read", point, n))
	must(t, err)
	go func() {
		var err error
		for range 1000 {
			if err = l.M.Lock(t.Context()); err != nil {
				break
			}
			l.M.Unlock()
		}
		wrote <- err
	}()
	_, death := killed(t, p)
	must(t, <-wrote)
	stalled(t, time.Since(death))
	l.works(t, false)
}

// libraryBarred dies before a door that a writer keeps shut.
func libraryBarred(t *testing.T, point string) {
	l, do := newLibrary(t), "wait to read"
	if point == "rwlock.left" {
		do = "try to read"
	}
	must(t, l.M.Lock(t.Context()))
	die(t, Visit, l.at(do, point, 2))
	l.M.Unlock()
	l.works(t, false)
}

// libraryWaiter dies while it waits for this process, which reads: those whom it has
// barred get in.
func libraryWaiter(t *testing.T, point string) {
	l := newLibrary(t)
	must(t, l.M.RLock(t.Context()))
	_, death := die(t, Visit, l.at("wait to write", point, 1))
	must(t, l.M.RLock(t.Context()))
	stalled(t, time.Since(death))
	l.M.RUnlock()
	l.M.RUnlock()
	l.works(t, false)
}

// libraryWriter dies as a writer, or about to be one or not to be, and readers wait.
func libraryWriter(t *testing.T, point string) {
	l, read := newLibrary(t), make(chan error, 1)
	p, err := Visit.Start(t.Context(), l.at("write", point, 50))
	must(t, err)
	go func() {
		for range 1000 {
			if err := l.M.RLock(t.Context()); err != nil {
				read <- err
				return
			}
			l.M.RUnlock()
		}
		read <- nil
	}()
	_, death := killed(t, p)
	broken := point == "rwlock.writing"
	var died *mp.OwnerDiedError
	// It may have been through before the death.
	if err := <-read; err != nil && (!broken || !errors.As(err, &died)) {
		t.Errorf("a reader: %v", err)
	}
	stalled(t, time.Since(death))
	l.works(t, broken)
}

// libraryHeir dies when it mends what a dead writer has left.
func libraryHeir(t *testing.T, point string) {
	l := newLibrary(t)
	die(t, Visit, l.at("write", "rwlock.writing", 2))
	die(t, Visit, l.at("inherit", point, 1))
	l.works(t, true)
}

// libraryRepairer dies when it has put the lock in order, and still has it.
func libraryRepairer(t *testing.T, point string) {
	l := newLibrary(t)
	die(t, Visit, l.at("write", "rwlock.writing", 2))
	die(t, Visit, l.at("repair", point, 1))
	l.works(t, true)
}
