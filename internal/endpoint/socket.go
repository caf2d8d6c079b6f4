package endpoint

import "time"

// Heartbeat is how often a client hears from a server that is at work on its
// call, and looks whether the server is there.
const Heartbeat = time.Second

// TryWriter writes what a socket takes at once.
type TryWriter func(b []byte) (n int, err error)
