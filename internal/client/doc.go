// Package client is the client of a manager: a session with its server, the
// calls over it, and the handles that package mp gives its objects faces with.
// It is a place, in the sense of mp/driver, and opens references to its objects
// that arrive from other processes.
//
// From the bottom up: a wire is one connection; a link is a session, which goes
// on over the next one; a request is a call; a handle is a reference to an
// object, and dictHandle, mutexHandle and so on are its methods.
package client
