package store

import (
	"sync"
	"sync/atomic"
)

// Mutex is the mutex of an object. It is a sync.Mutex that can be broken: when
// a call panics while it holds the mutex nobody would unlock it, and what it
// guards may be half changed. From then on Lock panics with a *Broken, which
// those who called the object turn into the answer, see Store.guard. The zero
// Mutex is unlocked and sound.
type Mutex struct {
	mu   sync.Mutex
	held atomic.Bool // mu is locked, and whoever sets this to false unlocks it
	why  atomic.Pointer[Broken]
}

// Lock locks the mutex. It panics with a *Broken if it is broken.
func (m *Mutex) Lock() {
	m.mu.Lock()
	m.held.Store(true)
	if b := m.why.Load(); b != nil {
		m.Unlock()
		panic(b)
	}
}

// Unlock unlocks the mutex. It does nothing if the mutex was broken meanwhile.
func (m *Mutex) Unlock() {
	if m.held.CompareAndSwap(true, false) {
		m.mu.Unlock()
	}
}

// Break breaks the mutex, whoever holds it: those who wait for it go on, and
// panic. It does not wait.
func (m *Mutex) Break(b *Broken) {
	if m.why.CompareAndSwap(nil, b) {
		m.Unlock()
	}
}
