package robust

import (
	"context"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/pin"
)

// rwReaders is how many processes can read under an RW at once; more wait.
const rwReaders = 15

// RWSize is how many bytes an RW takes in shared memory; it is aligned to 8.
const RWSize = LockSize*(1+rwReaders) + 8

// RW is this process's handle to a lock that one writer or many readers hold.
// All zero memory is a free lock.
//
// It is made of robust locks only: main, and one word a reading process. Who
// wants to read takes main, then a reader's word, and gives main back; who
// wants to write takes main, keeps it, and waits until every reader's word
// was free once. So a writer that waits holds up new readers, and a dead
// reader or writer is released by the kernel like the holder of any lock.
//
//	  0  main     Lock
//	 16  readers  rwReaders × Lock
//	256  writing  uint32, written under main: the writer's process id, from when
//	              it has the lock until it gives it back. Whoever finds it
//	              set after taking main knows that this writer died; a reader, or a writer that
//	              still waited, may die under main and has changed nothing
type RW struct {
	main    Lock
	readers [rwReaders]Lock
	writing *uint32
	mine    atomic.Bool // this handle is the writer

	deceased uint32 // the writer that died before us; written by the writer

	mu    spin
	count int   // goroutines of this process that read; under mu
	word  *Lock // the reader's word they share; under mu
}

// Init attaches to RWSize bytes of shared memory.
func (l *RW) Init(p unsafe.Pointer) {
	l.main.Init(p)
	for i := range l.readers {
		l.readers[i].Init(unsafe.Add(p, LockSize*(1+i)))
	}
	l.writing = (*uint32)(unsafe.Add(p, LockSize*(1+rwReaders)))
}

// Lock takes the lock for writing. died says that the last writer died while
// it held the lock. After an error it is not held.
func (l *RW) Lock(ctx context.Context) (died bool, err error) {
	if _, err = l.main.Lock(ctx); err != nil {
		return false, err
	}
	for i := range l.readers {
		r := &l.readers[i]
		if !r.OwnerAlive() {
			continue
		}
		if _, err := r.Lock(ctx); err != nil {
			l.main.Unlock()
			return false, err
		}
		r.Unlock()
	}
	failpoint.Hit("rw.drained")
	l.deceased = atomic.SwapUint32(l.writing, self)
	died = l.deceased != 0
	l.mine.Store(true)
	failpoint.Hit("rw.writing")
	return died, nil
}

// Unlock ends writing. It reports false if this handle does not write.
func (l *RW) Unlock() bool {
	if !l.mine.CompareAndSwap(true, false) {
		return false
	}
	atomic.StoreUint32(l.writing, 0)
	failpoint.Hit("rw.written")
	return l.main.Unlock()
}

// Deceased is the process id of the writer that died, for whoever has just
// taken the lock with died.
func (l *RW) Deceased() int { return int(l.deceased) }

// RLock takes the lock for reading. died says that the last writer died while
// it held the lock; then the lock is not held, and the news stays for the
// next one to lock.
func (l *RW) RLock(ctx context.Context) (died bool, err error) {
	for {
		if _, err = l.main.Hold(ctx); err != nil {
			return false, err
		}
		if atomic.LoadUint32(l.writing) != 0 {
			l.main.Free().Do()
			return true, nil
		}
		failpoint.Hit("rw.reading")
		switch l.read() {
		case taken:
			l.main.Free().Do()
			return false, nil
		case crowded:
			l.main.Free().Do()
			if err := anotherKeeper(); err != nil {
				return false, err
			}
		default:
			return false, l.readLater(ctx)
		}
	}
}

// read makes one more goroutine a reader if there is a word for the process. The
// caller holds main and is pinned.
func (l *RW) read() attempt {
	l.mu.lock()
	defer l.mu.unlock()
	if l.count > 0 {
		l.count++
		return taken
	}
	for i := range l.readers {
		r := &l.readers[(int(self)+i)%rwReaders]
		switch a := r.try(attempting{}); a {
		case taken, inherited:
			l.word, l.count = r, 1
			failpoint.Hit("rw.read")
			return taken
		case crowded:
			return crowded
		}
	}
	return busy
}

// readLater waits until another process has read, and keeps main meanwhile: as
// a writer does, or it would be overtaken. The caller is pinned.
func (l *RW) readLater(ctx context.Context) error {
	pin.Off()
	r := &l.readers[int(self)%rwReaders]
	_, err := r.Lock(ctx)
	pin.On()
	if err == nil {
		l.mu.lock()
		l.word, l.count = r, 1
		l.mu.unlock()
		failpoint.Hit("rw.read")
	}
	l.main.Free().Do()
	return err
}

// RUnlock ends reading.
func (l *RW) RUnlock() {
	var rest Rest
	pin.On()
	l.mu.lock()
	l.count--
	if l.count == 0 {
		rest = l.word.Free()
		l.word = nil
	}
	l.mu.unlock()
	rest.Do()
}

// Held reports whether this handle writes.
func (l *RW) Held() bool { return l.mine.Load() }

// Abort makes all goroutines of this process that wait give up with
// ErrClosed, now and later.
func (l *RW) Abort() {
	l.main.Abort()
	for i := range l.readers {
		l.readers[i].Abort()
	}
}
