package ledger

import (
	"context"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/table"
)

// RWMutex is this process's part in a lock that one writer or many readers hold, for
// all its goroutines and handles. Its memory:
//
//	   0  main     robust: the writer has it, and who waits to write
//	  16  barred   event of readers that wait
//	  24  drained  event of the writer that waits for readers to leave
//	  64  writer   uint64: 0, or what bars readers, see below; written under main
//	  72  pid      uint32, of the process in writer; written before it, under main
//	  76  died     uint32, the process id of a writer that died; written under main
//	  80  high     uint32, a slot beyond all that have ever read
//	3968  readers  of each process a cache line:
//	               reads  uint64, how many of its goroutines read
//	               waits  uint64, how many wait to
//	               the process's gen in the high half of both
//
// This is BRAVO (Dice and Kogan, 2019) over processes instead of a hashed table:
// readers publish themselves where nobody else writes, and the rare writer looks
// through all. A reader adds 1 to its own word and then looks at writer; a writer
// stores writer and then looks at the words. Each does so with a full fence in
// between, so at least one sees the other: the reader takes its 1 back and waits, and
// the writer waits for the words that are not 0 to become so. Two processes that read
// share no line that either writes.
//
// The word of a dead process does not count, as the table tells by slot and gen. So
// a killed reader has left the lock at that instruction, and nothing has to be undone
// for it. Its slot's next owner begins with a word of its own.
//
// A writer that waits bars new readers, so it does not starve. Nor do they: the next
// writer waits until those readers have got in that the last one has barred, for a
// time (courtesy), before it bars them anew.
type RWMutex struct {
	family  Family
	main    robust.Lock
	barred  robust.Event
	crowd   robust.Crowd // of barred
	drained robust.Event
	m       *rwmutex
	mine    *reader
	opened  atomic.Bool // mine is of this process's gen
	writing atomic.Bool // this process has the lock for writing
}

type rwmutex struct {
	_       [robust.LockSize + 2*robust.EventSize]byte
	_       [32]byte
	writer  uint64
	pid     uint32
	died    uint32
	high    uint32
	_       [accountsAt - 84]byte
	readers [slots]reader
}

type reader struct {
	reads, waits uint64
	_            [48]byte
}

// What the word writer says, beside the slot and gen of the process that it is about.
const (
	writerWaits = 1 << 0 // for readers to leave
	writerHas   = 1 << 1 // the lock
	writerDied  = 1 << 2 // with the lock: nobody gets it until Heal

	slotShift = 8
	genShift  = 32
)

// courtesy is how long a writer waits for readers that the last writer has barred,
// and that perhaps do not get a processor. A variable for tests.
var courtesy = 5 * time.Millisecond

// RWMutexSize is how many bytes the lock takes, most of which are never touched.
const RWMutexSize = int64(unsafe.Sizeof(rwmutex{}))

// Attach makes l the part of this process in the memory of a lock. All zero memory is
// a lock that nobody holds.
func (l *RWMutex) Attach(p unsafe.Pointer, f Family) {
	l.family, l.m = f, (*rwmutex)(p)
	l.mine = &l.m.readers[f.Self().Slot]
	l.main.Init(p)
	l.main.AllowResident()
	l.barred.Init(unsafe.Add(p, robust.LockSize))
	l.crowd.Init(&l.barred)
	l.drained.Init(unsafe.Add(p, robust.LockSize+robust.EventSize))
}

// Detach is called before the memory is unmapped.
func (l *RWMutex) Detach() { l.main.Detach() }

// Idle reports whether this process does not hold the lock.
func (l *RWMutex) Idle() bool {
	return !l.writing.Load() && (!l.opened.Load() || uint32(atomic.LoadUint64(&l.mine.reads)) == 0)
}

// Read takes the lock for reading if nothing bars readers, and reports whether it
// did. Cost: an addition to a line that no other process writes.
func (l *RWMutex) Read() bool {
	if !l.opened.Load() {
		l.open()
	}
	atomic.AddUint64(&l.mine.reads, 1)
	failpoint.Hit("rwlock.read")
	if atomic.LoadUint64(&l.m.writer) == 0 {
		robust.RaceTaken()
		return true
	}
	l.leave()
	return false
}

// open makes this process's words its own. Whoever had the slot before is dead, and
// its goroutines with it: only those of this process come here at once.
func (l *RWMutex) open() {
	self := l.family.Self()
	for {
		high := atomic.LoadUint32(&l.m.high)
		if high > self.Slot || atomic.CompareAndSwapUint32(&l.m.high, high, self.Slot+1) {
			break
		}
	}
	failpoint.Hit("rwlock.high")
	for _, w := range []*uint64{&l.mine.waits, &l.mine.reads} {
		old := atomic.LoadUint64(w)
		if fresh := uint64(self.Gen) << genShift; old>>genShift != uint64(self.Gen) {
			atomic.CompareAndSwapUint64(w, old, fresh)
		}
		failpoint.Hit("rwlock.opened")
	}
	l.opened.Store(true)
}

// leave takes back what Read has added, and tells the writer that waits for it.
func (l *RWMutex) leave() {
	n := atomic.AddUint64(&l.mine.reads, ^uint64(0))
	failpoint.Hit("rwlock.left")
	if uint32(n) == 0 && atomic.LoadUint64(&l.m.writer) != 0 {
		l.drained.Notify()
	}
}

// RUnlock ends one RLock of this process. It reports false if there is none.
func (l *RWMutex) RUnlock() bool {
	for l.opened.Load() {
		robust.RaceReleasing()
		n := atomic.LoadUint64(&l.mine.reads)
		if uint32(n) == 0 {
			break
		}
		if !atomic.CompareAndSwapUint64(&l.mine.reads, n, n-1) {
			continue
		}
		failpoint.Hit("rwlock.unread")
		if uint32(n) == 1 && atomic.LoadUint64(&l.m.writer) != 0 {
			l.drained.Notify()
		}
		return true
	}
	return false
}

// TryRLock is RLock without waiting.
func (l *RWMutex) TryRLock() (ok bool, err error) {
	if l.Read() {
		return true, nil
	}
	if l.bars() {
		return false, nil
	}
	if err := l.sound(); err != nil {
		return false, err
	}
	return l.Read(), nil
}

// RLock takes the lock for reading, waiting while one writes or waits to. The error is
// an *mperr.OwnerDiedError if a writer has died.
func (l *RWMutex) RLock(ctx context.Context) error {
	for range spins {
		if atomic.LoadUint64(&l.m.writer) == 0 && l.Read() {
			return nil
		}
		fence.Pause(spinPauses)
	}
	atomic.AddUint64(&l.mine.waits, 1)
	failpoint.Hit("rwlock.waiting")
	defer l.waited()
	for {
		if err := l.crowd.Wait(ctx, func() bool { return !l.bars() }); err != nil {
			return err
		}
		if err := l.sound(); err != nil {
			return err
		}
		if l.Read() {
			return nil
		}
	}
}

// waited takes back that one waits to read, and tells the writer that is courteous.
func (l *RWMutex) waited() {
	n := atomic.AddUint64(&l.mine.waits, ^uint64(0))
	failpoint.Hit("rwlock.waited")
	if uint32(n) == 0 {
		l.drained.Notify()
	}
}

// bars reports whether readers have to wait. If the one they would wait for is dead,
// the lock is mended.
func (l *RWMutex) bars() bool {
	w := atomic.LoadUint64(&l.m.writer)
	if w&(writerWaits|writerHas) != 0 && !l.family.Live(ownerOf(w)) {
		// If another has the main lock already, it mends, and tells.
		if ok, _, err := l.main.TryLock(); ok && err == nil {
			l.mend()
			l.main.Unlock()
		}
		w = atomic.LoadUint64(&l.m.writer)
	}
	return w&writerHas != 0 || w&writerWaits != 0 && w&writerDied == 0
}

func ownerOf(w uint64) table.Ref {
	return table.Ref{Slot: uint32(w) >> slotShift & (slots - 1), Gen: uint32(w >> genShift)}
}

// sound returns an *mperr.OwnerDiedError if a writer has died.
func (l *RWMutex) sound() error {
	if atomic.LoadUint64(&l.m.writer)&writerDied == 0 {
		return nil
	}
	return &mperr.OwnerDiedError{Object: "rwmutex", PID: int(atomic.LoadUint32(&l.m.died))}
}

// Lock takes the lock for writing. broken says that it does so also if a writer has
// died; otherwise the error is an *mperr.OwnerDiedError then.
func (l *RWMutex) Lock(ctx context.Context, broken bool) error {
	if _, err := l.main.Lock(ctx); err != nil {
		return err
	}
	l.mend()
	if err := l.sound(); err != nil && !broken {
		l.main.Unlock()
		return err
	}
	if l.barred.Waiting() {
		l.yield(ctx)
	}
	l.bar()
	for range spins {
		if l.empty() {
			l.write()
			return nil
		}
		fence.Pause(spinPauses)
	}
	if err := l.drained.Wait(ctx, l.empty); err != nil {
		l.unbar()
		return err
	}
	l.write()
	return nil
}

// Write takes the lock for writing if nobody has it, and no reader waits who was barred
// before, and reports whether it did: it is Lock where there is nothing to wait for.
func (l *RWMutex) Write() (ok bool, err error) {
	if l.barred.Waiting() {
		return false, nil
	}
	return l.TryLock()
}

// TryLock takes the lock for writing if nobody has it, or is about to.
func (l *RWMutex) TryLock() (ok bool, err error) {
	if ok, _, err = l.main.TryLock(); !ok || err != nil {
		return false, err
	}
	l.mend()
	err = l.sound()
	if err != nil || !l.empty() { // those who read are not disturbed
		l.main.Unlock()
		return false, err
	}
	l.bar()
	// Who has added to its word since reads, or takes that back at once.
	for range spins {
		if l.empty() {
			l.write()
			return true, nil
		}
		fence.Pause(spinPauses)
	}
	l.unbar()
	return false, nil
}

// Unlock ends writing. It reports false if this process does not write.
func (l *RWMutex) Unlock() bool {
	if !l.writing.CompareAndSwap(true, false) {
		return false
	}
	l.unbar()
	return true
}

// Heal says that what a dead writer left is in order again. It reports false if this
// process does not write.
func (l *RWMutex) Heal() bool {
	if !l.writing.Load() {
		return false
	}
	atomic.AndUint64(&l.m.writer, ^uint64(writerDied))
	failpoint.Hit("rwlock.healed")
	return true
}

// Owner is the process id of the writer, 0 if there is none.
func (l *RWMutex) Owner() int {
	if atomic.LoadUint64(&l.m.writer)&writerHas == 0 {
		return 0
	}
	return l.main.Owner()
}

// mend does what the last holder of the main lock died over: it is in the word writer
// still. Who wanted to write and had not begun has changed nothing. The main lock is
// held.
func (l *RWMutex) mend() {
	w := atomic.LoadUint64(&l.m.writer)
	if w&(writerWaits|writerHas) == 0 {
		return
	}
	if w&writerHas != 0 {
		atomic.StoreUint32(&l.m.died, l.m.pid)
		failpoint.Hit("rwlock.named")
		w = writerDied
	}
	atomic.StoreUint64(&l.m.writer, w&writerDied)
	failpoint.Hit("rwlock.mended")
	l.barred.NotifyAll()
}

// yield lets those readers in that the last writer has barred. The main lock is held.
func (l *RWMutex) yield(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, courtesy)
	defer cancel()
	_ = l.drained.Wait(ctx, func() bool { return !l.any(func(r *reader) uint64 { return atomic.LoadUint64(&r.waits) }) })
}

// bar keeps new readers out. The main lock is held.
func (l *RWMutex) bar() {
	atomic.StoreUint32(&l.m.pid, pid)
	failpoint.Hit("rwlock.barring")
	self := l.family.Self()
	w := uint64(self.Gen)<<genShift | uint64(self.Slot)<<slotShift | writerWaits
	atomic.StoreUint64(&l.m.writer, l.m.writer&writerDied|w)
	failpoint.Hit("rwlock.barred")
}

// write makes this process the writer: it bars readers, and none is left.
func (l *RWMutex) write() {
	atomic.StoreUint64(&l.m.writer, l.m.writer&^writerWaits|writerHas)
	failpoint.Hit("rwlock.writing")
	robust.RaceTaken()
	l.writing.Store(true)
}

// unbar lets readers in, and then the next writer.
func (l *RWMutex) unbar() {
	robust.RaceReleasing()
	atomic.StoreUint64(&l.m.writer, l.m.writer&writerDied)
	failpoint.Hit("rwlock.unbarred")
	l.barred.NotifyAll()
	l.main.Unlock()
}

// empty reports whether nobody reads who lives. Readers are barred, or it may change.
func (l *RWMutex) empty() bool {
	return !l.any(func(r *reader) uint64 { return atomic.LoadUint64(&r.reads) })
}

// any reports whether a process lives whose word counts any.
func (l *RWMutex) any(word func(*reader) uint64) bool {
	for i := range min(atomic.LoadUint32(&l.m.high), slots) {
		n := word(&l.m.readers[i])
		if uint32(n) != 0 && l.family.Live(table.Ref{Slot: i, Gen: uint32(n >> genShift)}) {
			return true
		}
	}
	return false
}

var pid = uint32(os.Getpid())
