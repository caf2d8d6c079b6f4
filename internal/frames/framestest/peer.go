// Package framestest is the other side of a session for tests: it numbers
// frames and checks those that come, and does nothing by itself.
package framestest

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"multiproc/internal/frames"
)

// Conn is the connection that a Peer speaks over: a *pyconn.Conn, behind the
// handshake.
type Conn interface {
	WriteFrame(p []byte) error
	ReadFrame(limit int) ([]byte, error)
}

// Peer is one side of a session. One goroutine may read while another writes.
type Peer struct {
	C    Conn
	Sent uint64        // frames
	Got  atomic.Uint64 // frames
}

// Join says a client's Hello, and takes note of what the server answers.
func (p *Peer) Join(h frames.ClientHello) (his frames.ServerHello, err error) {
	if err := p.C.WriteFrame(frames.AppendClientHello(nil, h)); err != nil {
		return his, err
	}
	b, err := p.C.ReadFrame(4096)
	if err != nil {
		return his, err
	}
	var f frames.Frame
	if err := frames.Parse(b, &f); err != nil {
		return his, err
	}
	his, ok := f.ServerHello()
	if !ok {
		return his, fmt.Errorf("the server says %v: %s", f.Kind, f.Reason)
	}
	return his, nil
}

// Seal makes a frame of a payload, without the four bytes of length that
// CPython's frames begin with.
func Seal(payload []byte, number, got uint64) []byte {
	b := append(frames.Begin(nil), payload...)
	frames.End(b, 0, number, got)
	return b[4:]
}

// WriteFrame sends the next frame.
func (p *Peer) WriteFrame(payload []byte) error {
	p.Sent++
	return p.C.WriteFrame(Seal(payload, p.Sent, p.Got.Load()))
}

// Nod says what has come, and no more.
func (p *Peer) Nod() error { return p.C.WriteFrame(frames.AppendNod(nil, p.Sent, p.Got.Load())[4:]) }

// ReadFrame returns the payload of the next frame that has one. It belongs to
// the Conn.
func (p *Peer) ReadFrame(limit int) ([]byte, error) {
	for {
		b, err := p.C.ReadFrame(limit + frames.Extra)
		if err != nil {
			return nil, err
		}
		payload, number, err := Open(b)
		if err != nil {
			return nil, err
		}
		if len(payload) == 0 {
			continue
		}
		if got := p.Got.Add(1); uint32(got) != number {
			return nil, fmt.Errorf("frame %d comes after frame %d", number, got-1)
		}
		return payload, nil
	}
}

// Open is the inverse of Seal.
func Open(b []byte) (payload []byte, number uint32, err error) {
	if len(b) < frames.Extra {
		return nil, 0, fmt.Errorf("a frame of %d bytes", len(b))
	}
	h, err := frames.ParseHead(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b[:frames.Extra]...))
	if err != nil {
		return nil, 0, err
	}
	payload = b[frames.Extra:]
	return payload, h.Number, h.Check(payload)
}
