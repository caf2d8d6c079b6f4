package faults

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Fault is something that happens to bytes on their way.
type Fault int

// The faults.
const (
	Cut       Fault = iota // the connection ends
	Reset                  // it ends, and what was sent is thrown away
	Truncate               // a part of what was read goes on, then the connection ends
	Duplicate              // some bytes come twice
	Drop                   // some bytes do not come
	Flip                   // one bit is another
	Delay                  // they come a little later
	Stall                  // nothing comes any more, and the connection does not end
	faults
)

var faultNames = [...]string{"cut", "reset", "truncated", "duplicated", "dropped", "flipped", "delayed", "stalled"}

// String names the fault.
func (f Fault) String() string { return faultNames[f] }

// Proxy stands between clients and a server.
type Proxy struct {
	Done [faults]atomic.Int64 // how often each fault happened

	listener  net.Listener
	target    [2]string // network and address
	every     int       // mean number of bytes between two faults of a direction
	kinds     []Fault
	timeLimit time.Duration // of one who stalls

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu    sync.Mutex
	off   bool
	hold  chan struct{} // closed when what is held goes on; nil: nothing is held
	conns map[net.Conn]struct{}
}

// NewProxy starts a proxy on a port of its own. One of kinds happens to each
// direction of a connection about every so many bytes; with none it only passes
// on what comes.
func NewProxy(network, address string, every int, kinds ...Fault) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		listener: l, target: [2]string{network, address}, every: every, kinds: kinds,
		timeLimit: time.Minute, conns: map[net.Conn]struct{}{},
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.wg.Go(p.accept)
	return p, nil
}

// Address is where clients connect.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Close ends the proxy and all connections.
func (p *Proxy) Close() {
	p.stop()
	_ = p.listener.Close()
	p.Cut()
	p.wg.Wait()
}

// Cut ends all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Off ends all connections and turns new ones away, until On.
func (p *Proxy) Off() {
	p.mu.Lock()
	p.off = true
	p.mu.Unlock()
	p.Cut()
}

// Flicker switches the proxy on and off by turns, for about so long each, until
// ctx ends.
func (p *Proxy) Flicker(ctx context.Context, on, off time.Duration) {
	for ctx.Err() == nil && p.ctx.Err() == nil {
		p.wait(time.Duration(float64(on) * (0.5 + rand.Float64())))
		p.Off()
		p.wait(time.Duration(float64(off) * (0.5 + rand.Float64())))
		p.On()
	}
}

// Hold lets nothing through, and ends no connection, until On.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hold == nil {
		p.hold = make(chan struct{})
	}
}

// On lets everything through again.
func (p *Proxy) On() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = false
	if p.hold != nil {
		close(p.hold)
		p.hold = nil
	}
}

// held waits while everything is held. It reports whether the proxy goes on.
func (p *Proxy) held() bool {
	p.mu.Lock()
	hold := p.hold
	p.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-p.ctx.Done():
		}
	}
	return p.ctx.Err() == nil
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			if p.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

// enter notes a connection, unless none is let through.
func (p *Proxy) enter(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off || p.ctx.Err() != nil {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) leave(c net.Conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	_ = c.Close()
}

func (p *Proxy) serve(client net.Conn) {
	defer p.leave(client)
	if !p.held() {
		return
	}
	server, err := net.Dial(p.target[0], p.target[1])
	if err != nil {
		return
	}
	defer p.leave(server)
	if !p.enter(client) || !p.enter(server) {
		return
	}
	var wg sync.WaitGroup
	pass := func(from, to net.Conn) {
		defer func() { _, _ = from.Close(), to.Close() }()
		p.pass(from, to)
	}
	wg.Go(func() { pass(client, server) })
	wg.Go(func() { pass(server, client) })
	wg.Wait()
}

// pass passes on what comes, with faults.
func (p *Proxy) pass(from, to net.Conn) {
	buf := make([]byte, 16<<10)
	left := p.distance()
	for {
		n, err := from.Read(buf)
		if !p.held() {
			return
		}
		if b := buf[:n]; n > 0 {
			for len(b) > left { // the fault is within
				if _, err := to.Write(b[:left]); err != nil {
					return
				}
				if b = b[left:]; !p.harm(&b, from, to) {
					return
				}
				left = p.distance()
			}
			left -= len(b)
			if _, err := to.Write(b); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// distance is how many bytes go well.
func (p *Proxy) distance() int {
	if len(p.kinds) == 0 {
		return 1 << 62
	}
	return int(rand.ExpFloat64() * float64(p.every))
}

// harm does one fault to bytes that are about to be passed on. It reports
// whether the connection goes on.
func (p *Proxy) harm(b *[]byte, from, to net.Conn) bool {
	k := p.kinds[rand.IntN(len(p.kinds))]
	p.Done[k].Add(1)
	some := 1 + rand.IntN(min(len(*b), 64))
	switch k {
	case Cut:
		return false
	case Reset:
		for _, c := range []net.Conn{from, to} {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
		}
		return false
	case Truncate:
		_, _ = to.Write((*b)[:some-1])
		return false
	case Duplicate:
		if _, err := to.Write((*b)[:some]); err != nil {
			return false
		}
	case Drop:
		*b = (*b)[some:]
	case Flip:
		(*b)[some-1] ^= 1 << rand.IntN(8)
	case Delay:
		p.wait(time.Duration(rand.IntN(int(20 * time.Millisecond))))
	case Stall:
		// The other direction goes on, until one of the ends has enough.
		p.wait(p.timeLimit)
		return false
	}
	return true
}

// wait returns after d, or at the end of the proxy.
func (p *Proxy) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.ctx.Done():
	}
}
