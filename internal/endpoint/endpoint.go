// Package endpoint is what both ends of a connection to a manager have in common:
// the forms of addresses, the key, sockets on which the end of the other side is
// noticed, and the numbered frames that are kept until they have come.
package endpoint

import "time"

// Heartbeat is how often a client hears from a server that is at work on its
// call, and looks whether the server is there.
const Heartbeat = time.Second

// TryWriter writes what a socket takes at once.
type TryWriter func(b []byte) (n int, err error)
