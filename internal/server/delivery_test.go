package server

import (
	"net"
	"sync"
	"testing"
	"time"

	"multiproc/internal/budget"
	"multiproc/internal/frames"
	"multiproc/internal/pyconn"
)

// unlockSignal says when somebody lets a mutex go, as Cond.Wait does.
type unlockSignal struct {
	*sync.Mutex
	unlocked chan struct{}
}

func (s unlockSignal) Unlock() {
	s.Mutex.Unlock()
	select {
	case s.unlocked <- struct{}{}:
	default:
	}
}

func testDelivery(t *testing.T) (*delivery, *conn, *pyconn.Conn) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	_ = b.SetDeadline(time.Now().Add(testTimeout))
	d := &delivery{keeps: budget.New(1 << 30).Working()}
	d.memory.share = d.keeps
	d.idle.L = &d.mu
	return d, &conn{socket: a, in: pyconn.New(a)}, pyconn.New(b)
}

// Who is greeted while the server ends still hears its goodbye.
func TestByeAmidGreeting(t *testing.T) {
	d, c, peer := testDelivery(t)
	waits := unlockSignal{&d.mu, make(chan struct{}, 1)}
	d.idle.L = waits
	d.expect(c)
	d.bye("the server ends")
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.wait(c, 0)
	}()
	select {
	case <-waits.unlocked:
	case <-done:
		t.Fatal("the goodbye was not waited for")
	}
	d.attach(c.in.NetConn())
	b, err := peer.ReadFrame(1000)
	if err != nil {
		t.Fatal(err)
	}
	var f frames.Frame
	if err := frames.Parse(b[frames.Extra:], &f); err != nil || f.Kind != frames.Bye {
		t.Errorf("% x, %v", b, err)
	}
	<-done
}

// The late end of a connection leaves the next one alone.
func TestDetachOfTheLast(t *testing.T) {
	d, old, _ := testDelivery(t)
	_, c, peer := testDelivery(t)
	d.expect(old)
	d.attach(old.in.NetConn())
	d.expect(c)
	d.attach(c.in.NetConn())
	d.detach(old)
	d.nod()
	if _, err := peer.ReadFrame(1000); err != nil {
		t.Fatal(err)
	}
}
