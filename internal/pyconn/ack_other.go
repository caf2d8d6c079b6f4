//go:build !linux

package pyconn

import "net"

// acker does nothing where TCP_QUICKACK does not exist.
type acker struct{ always bool }

func newAcker(net.Conn) acker { return acker{} }

func (*acker) beforeRead(bool) {}

// Alive reports whether the connection is idle and sound, so far as this
// platform can tell: what has been read already is all that it looks at.
func (c *Conn) Alive() bool { return !c.Buffered() }
