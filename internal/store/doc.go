// Package store keeps the shared objects of a manager: it says who refers to
// an object, who holds what of it, who waits in it, and when it can go.
//
// It knows neither protocol nor what objects do. A front end makes a [Session]
// for each client and passes calls to objects with [Session.Begin]; the object
// answers through a [Replier]. Objects come from a table of [Type].
//
//	front end ── Session.Begin ──▶ Object.Call ── Call.Return ──▶ Replier.Return
//	                                   │ Park                        ▲
//	                                   ▼                             │
//	                             object's waiters ── later ── Call.Return
//
// # Locks
//
// No lock of the store is held while an object is called. An object's mutex
// may be held while methods of Call are called, so the order is: an object's
// mutex, then Store.mu, then Session.mu, then that of an owner; the shards of
// the table come last.
//
// # References
//
// An object lives as long as a session, a name or a ticket counts it, or the
// contents of another living object refer to it. The first are counted; the
// second are found by following Object.Refs from what is counted, and only for
// objects whose reference was ever part of a message: all others go at once
// with their last count. So containers do not count what they contain, and
// cycles are nothing special. A reference that passed through a message counts
// for [grace] more, so that whoever took it out can attach to the object.
//
// # Death
//
// When an owner is gone, what it waits for is withdrawn, what it took but never
// received is put back, and what it holds is released by the objects, each of
// which is told by OwnerGone. All three happen in this order and without a
// lock, so each object must bear that an owner is gone at any point: Park
// refuses, ReturnTaken puts back, Hold tells the object at once.
package store
