package objects

import "multiproc/internal/store"

// rlock is an RLock: its owner, a Python channel or the whole of a Go client,
// may take it again, and gives it back as often.
type rlock struct {
	plain
	lock
}

var rlockMethods = methods[*rlock]{
	"acquire": func(r *rlock, c *store.Call) { r.acquireMethod(c) },
	"release": func(r *rlock, c *store.Call) {
		if noArgs(c) {
			r.release(c)
		}
	},
	"locked": func(r *rlock, c *store.Call) { answerLocked(&r.lock, c) },
}

// Call implements store.Object.
func (r *rlock) Call(c *store.Call) { rlockMethods.call(r, c, "_thread.RLock") }

// Repr implements store.Object.
func (r *rlock) Repr() string { return r.describe() }
