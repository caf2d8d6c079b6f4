// Package objects are the shared objects that every manager offers: those of
// Python's SyncManager, with Python's methods, exceptions and texts, and beside
// them methods named "mp.…" for the typed faces of Go.
//
// The method of mp/driver driver.X.FooBar(ctx, a, b) (r, s, error) is
// "mp.fooBar" with the arguments a, b and the result [r, s], or r alone if
// there is one result.
//
// Every object has one mutex. A method changes the object under it, collects
// whom that sets free, and answers them when it has let the mutex go.
//
// # Death
//
// The store tells objects of the end of an owner, see package store. What that
// does to them:
//
//	Lock               free; to Go's Mutex broken until it is healed
//	RLock              free, whatever its depth
//	Semaphore          each permit that is held comes back
//	Condition          as its lock; who waits, waits no more, and if it had been
//	                   notified already the next one is instead
//	Barrier            broken, if the owner waited in it
//	Queue              an item that was not received is the first one again; a
//	                   put that waits is withdrawn
package objects
