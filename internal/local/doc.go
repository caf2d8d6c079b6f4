// Package local is the place in this machine's memory: shared objects over
// segments that implement the interfaces of multiproc/mp/driver, and what the
// handles to segments have in common.
//
// Queues, pipes, values, arrays and counters in memory have typed bodies in
// package mp, for speed; they use Memory and Cell. All other kinds of objects
// that memory offers are behind the driver's interfaces, here.
package local
