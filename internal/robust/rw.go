package robust

import (
	"context"
	"sync"
	"unsafe"
)

// rwReaders is how many processes can read under an RW at once; more wait.
const rwReaders = 15

// RWSize is how many bytes an RW takes in shared memory; it is aligned to 8.
const RWSize = LockSize * (1 + rwReaders)

// RW is this process's handle to a lock that one writer or many readers hold.
// All zero memory is a free lock.
//
// It is made of robust locks only: main, and one word a reading process. Who
// wants to read takes main, then a reader's word, and gives main back; who
// wants to write takes main, keeps it, and waits until every reader's word
// was free once. So a writer that waits holds up new readers, and a dead
// reader or writer is released by the kernel like the holder of any lock.
type RW struct {
	main    Lock
	readers [rwReaders]Lock

	mu    sync.Mutex
	count int   // goroutines of this process that read
	word  *Lock // the reader's word they share
}

// Init attaches to RWSize bytes of shared memory.
func (l *RW) Init(p unsafe.Pointer) {
	l.main.Init(p)
	for i := range l.readers {
		l.readers[i].Init(unsafe.Add(p, LockSize*(1+i)))
	}
}

// Lock takes the lock for writing. died says that the last writer died while
// it held the lock. After an error it is not held.
func (l *RW) Lock(ctx context.Context) (died bool, err error) {
	died, err = l.main.Lock(ctx)
	if err != nil {
		return false, err
	}
	for i := range l.readers {
		r := &l.readers[i]
		if !r.OwnerAlive() {
			continue
		}
		if _, err := r.Lock(ctx); err != nil {
			l.giveBack(died)
			return false, err
		}
		r.Unlock()
	}
	return died, nil
}

// giveBack releases main unused. If the lock was inherited, the news must not
// be lost with it.
func (l *RW) giveBack(died bool) {
	if died {
		l.main.bequeath()
		return
	}
	l.main.Unlock()
}

// Unlock ends writing. It reports false if this process does not write.
func (l *RW) Unlock() bool { return l.main.Unlock() }

// RLock takes the lock for reading. died says that the last writer died while
// it held the lock; then the lock is not held, and the news stays for the
// next one to lock.
func (l *RW) RLock(ctx context.Context) (died bool, err error) {
	died, err = l.main.Lock(ctx)
	if err != nil {
		return false, err
	}
	if died {
		l.main.bequeath()
		return true, nil
	}
	defer l.main.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count > 0 {
		l.count++
		return false, nil
	}
	for i := range l.readers {
		r := &l.readers[(int(self)+i)%rwReaders]
		ok, _, err := r.TryLock()
		if err != nil {
			return false, err
		}
		if ok {
			l.word, l.count = r, 1
			return false, nil
		}
	}
	r := &l.readers[int(self)%rwReaders]
	if _, err := r.Lock(ctx); err != nil {
		return false, err
	}
	l.word, l.count = r, 1
	return false, nil
}

// RUnlock ends reading.
func (l *RW) RUnlock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count--
	if l.count == 0 {
		l.word.Unlock()
		l.word = nil
	}
}

// Held reports whether this process writes.
func (l *RW) Held() bool { return l.main.Held() }

// Abort makes all goroutines of this process that wait give up with
// ErrClosed, now and later.
func (l *RW) Abort() {
	l.main.Abort()
	for i := range l.readers {
		l.readers[i].Abort()
	}
}
