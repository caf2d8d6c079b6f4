package server

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"multiproc/internal/client"
	"multiproc/internal/complete"
	"multiproc/internal/endpoint"
	"multiproc/internal/frames"
	"multiproc/internal/frames/framestest"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mptest"
	"multiproc/tests/faults"
)

// keeping lets the server keep the sessions of clients that are away.
func keeping(d time.Duration) func(*Options) {
	return func(o *Options) { o.Limits.Grace = d }
}

// underWay returns when so many calls of m are under way.
func underWay(t *testing.T, m *client.Manager, n int) {
	t.Helper()
	mptest.Eventually(t, func() bool { return client.UnderWay(m) == n }, "calls are under way")
}

// away is how many sessions have no connection.
func (s *testServer) away() int {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	return s.sessions.away.Len()
}

// behind dials a server through a proxy that can be switched off.
func behind(t *testing.T, s *testServer, heartbeat time.Duration) (*client.Manager, *faults.Proxy) {
	t.Helper()
	network, err := endpoint.Network(s.address)
	if err != nil {
		t.Fatal(err)
	}
	p, err := faults.NewProxy(network, s.address, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	m, err := client.Dial(t.Context(), p.Address(), client.Options{Authkey: testKey, Heartbeat: heartbeat})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, p
}

// Nothing is lost by a connection that breaks: locks stay held, calls wait on,
// watches see what changes meanwhile, and what was taken arrives.
func TestSessionsOutliveConnections(t *testing.T) {
	for _, kind := range []string{"unix", "tcp", "elsewhere"} {
		t.Run(kind, func(t *testing.T) {
			s, ctx := serveTest(t, kind, keeping(time.Hour)), t.Context()
			m, p := behind(t, s, 0)
			other := dialTest(t, s)
			lock := openTest[complete.Mutex](t, m, driver.Spec{Kind: driver.KindMutex, Name: "l"})
			theirs := openTest[complete.Mutex](t, other, driver.Spec{Kind: driver.KindMutex, Name: "l"})
			q, err := mp.NewQueue[int](0, mp.In(m), mp.WithName("q"))
			wantNo(t, "queue", err)
			put, err := mp.NewQueue[int](0, mp.In(other), mp.WithName("q"))
			wantNo(t, "queue", err)
			d := openTest[complete.Dict](t, m, driver.Spec{Kind: driver.KindDict}) // it has no name
			wantNo(t, "lock", lock.Lock(ctx))
			watching, stop := context.WithCancel(ctx)
			defer stop()
			changes := d.Watch(watching)
			got := make(chan int)
			for range 2 {
				go func() {
					v, err := q.Get(ctx)
					wantNo(t, "get", err)
					got <- v
				}()
			}
			underWay(t, m, 3)
			p.Off()
			mptest.Eventually(t, func() bool { return s.away() == 1 }, "the client is away")
			wantNo(t, "put", put.Put(ctx, 1))
			if ok, err := theirs.TryLock(ctx); ok || err != nil {
				t.Errorf("a lock of one who is away: %v, %v", ok, err)
			}
			set := make(chan error)
			go func() { set <- d.Set(ctx, frames.AppendUint(nil, 1), frames.AppendUint(nil, 2)) }()
			p.On()
			wantNo(t, "put", put.Put(ctx, 2))
			if sum := <-got + <-got; sum != 3 {
				t.Errorf("the items add up to %d", sum)
			}
			wantNo(t, "set", <-set)
			for _, err := range changes {
				wantNo(t, "watch", err)
				break
			}
			wantNo(t, "unlock", lock.Unlock(ctx))
			wantNo(t, "lock", errors.Join(theirs.Lock(ctx), theirs.Unlock(ctx)))
			if n, err := put.Len(ctx); n != 0 || err != nil {
				t.Errorf("%d items are left: %v", n, err)
			}
		})
	}
}

// Who does not come back in time is as good as dead, and learns it when he does.
func TestSessionsEnd(t *testing.T) {
	s, ctx := serveTest(t, "tcp", keeping(50*time.Millisecond)), t.Context()
	m, p := behind(t, s, 0)
	other := dialTest(t, s)
	lock := openTest[complete.Mutex](t, m, driver.Spec{Kind: driver.KindMutex, Name: "l"})
	theirs := openTest[complete.Mutex](t, other, driver.Spec{Kind: driver.KindMutex, Name: "l"})
	q := openTest[complete.Queue](t, m, driver.Spec{Kind: driver.KindQueue, Name: "q"})
	wantNo(t, "lock", lock.Lock(ctx))
	got := make(chan error, 2)
	go func() { _, err := q.Get(ctx); got <- err }()
	underWay(t, m, 1)
	p.Off()
	var died *mperr.OwnerDiedError
	if err := theirs.Lock(ctx); !errors.As(err, &died) {
		t.Errorf("a lock whose owner does not come back: %v", err)
	}
	wantIs(t, "a call under way", <-got, mperr.ErrUnknownFate)
	p.On()
	wantNo(t, "unlock", lock.Unlock(ctx))
	if n, err := q.Len(ctx); n != 0 || err != nil { // on a new session
		t.Errorf("len %d, %v", n, err)
	}
}

// lender is a session of a goPeer that has got an item and not acknowledged it.
func lender(t *testing.T, s *testServer, m *member) (p *goPeer, hello frames.ServerHello, q, seq uint64) {
	t.Helper()
	p = &goPeer{t: t, c: s.join(t)}
	p.C = p.c
	hello, err := p.Join(frames.ClientHello{PID: 1, Name: "peer"})
	wantNo(t, "hello", err)
	q = p.open("Queue", "q", int64(0), int64(0))
	m.want(nil, q, "put", "item")
	seq = p.begin(q, "mp.get", frames.NoTimeout)
	if f := p.read(); !f.Taken || f.Seq != seq {
		t.Fatalf("%v %d", f.Kind, f.Seq)
	}
	return p, hello, q, seq
}

// resume is a new connection of the session.
func (p *goPeer) resume(s *testServer, hello frames.ServerHello, got uint64) (frames.ServerHello, error) {
	p.c = s.join(p.t)
	p.C = p.c
	return p.Join(frames.ClientHello{PID: 1, Name: "peer", Session: hello.Session, Got: got})
}

// An answer that has not come is sent again, and what it brings is nobody
// else's until then.
func TestAnswersAreSentAgain(t *testing.T) {
	s := serveTest(t, "unix", keeping(time.Hour))
	m := s.member(t)
	p, hello, q, seq := lender(t, s, m)
	got := p.Got.Load()
	_ = p.c.Close()
	mptest.Eventually(t, func() bool { return s.away() == 1 }, "the client is away")
	m.want(true, q, "empty")
	again, err := p.resume(s, hello, got-1)
	if err != nil || again.Session != hello.Session || again.Got != p.Sent {
		t.Fatalf("%+v, %v", again, err)
	}
	p.Got.Add(^uint64(0))
	if f := p.read(); !f.Taken || f.Seq != seq {
		t.Fatalf("%v %d", f.Kind, f.Seq)
	}
	p.write(frames.AppendAck(nil, seq, true))
	if f := p.read(); f.Kind != frames.Return || f.Taken || f.Seq != seq {
		t.Fatalf("%v %d", f.Kind, f.Seq)
	}
	p.write(frames.AppendBye(nil, ""))
	mptest.Eventually(t, func() bool { return s.connections() == 0 }, "the session has ended")
	m.want(true, q, "empty")
}

// A client that ends its session leaves what it has not acknowledged.
func TestByeEndsSession(t *testing.T) {
	s := serveTest(t, "unix", keeping(time.Hour))
	m := s.member(t)
	p, hello, q, _ := lender(t, s, m)
	p.write(frames.AppendBye(nil, ""))
	m.want("item", q, "get", true, 20.0)
	if _, err := p.resume(s, hello, p.Got.Load()); err == nil || !strings.Contains(err.Error(), "not known any more") {
		t.Errorf("resumed: %v", err)
	}
}

// A frame that comes again is passed over; one after a gap, or that was damaged,
// ends the connection and not the session.
func TestReplays(t *testing.T) {
	s := serveTest(t, "unix", keeping(time.Hour))
	m := s.member(t)
	p, hello, q, _ := lender(t, s, m)
	put := frames.AppendText(frames.AppendCall(nil, p.seq+1, q, "mp.put", frames.NoTimeout, 1), "once")
	p.write(put)
	p.read()
	for range 3 {
		wantNo(t, "write", p.c.WriteFrame(framestest.Seal(put, p.Sent, p.Got.Load())))
	}
	p.write(frames.AppendCall(nil, p.seq+2, q, "mp.len", frames.NoTimeout, 0))
	if n, _ := frames.Uint(p.read().Value); n != 1 {
		t.Errorf("%d items", n)
	}
	damaged := framestest.Seal(put, p.Sent+1, p.Got.Load())
	damaged[len(damaged)-1] ^= 1
	for name, b := range map[string][]byte{"a gap": framestest.Seal(put, p.Sent+2, p.Got.Load()), "damage": damaged} {
		wantNo(t, "write", p.c.WriteFrame(b))
		if b, err := p.c.ReadFrame(1000); err == nil {
			t.Errorf("%s is answered by % x", name, b)
		}
		if again, err := p.resume(s, hello, p.Got.Load()); err != nil || again.Got != p.Sent {
			t.Fatalf("after %s: %+v, %v", name, again, err)
		}
	}
	// A new frame, but an old call.
	p.write(put)
	if f := p.read(); f.Kind != frames.Bye {
		t.Errorf("%v", f.Kind)
	}
	mptest.Eventually(t, func() bool { n, _ := m.call(q, "qsize"); return n == pyvalue.Value(int64(2)) }, "what was lent to the session is back")
	m.want("item", q, "get", true, 20.0)
}

// A session belongs to one connection: the newest.
func TestSessionIsTakenOver(t *testing.T) {
	s := serveTest(t, "unix", keeping(time.Hour))
	p, hello, _, _ := lender(t, s, s.member(t))
	old := p.c
	if _, err := p.resume(s, hello, p.Got.Load()); err != nil {
		t.Fatal(err)
	}
	if b, err := old.ReadFrame(1000); err == nil {
		t.Errorf("the old connection says % x", b)
	}
	if n, ok := p.call(0, "count").(int64); !ok || n != 1 {
		t.Errorf("%d objects", n)
	}
}

// Nobody finds a session by guessing, and what was acknowledged is gone.
func TestSessionsThatAreNot(t *testing.T) {
	s := serveTest(t, "unix", keeping(time.Hour))
	p, hello, q, _ := lender(t, s, s.member(t))
	guess := hello
	guess.Session[3]++
	if _, err := (&goPeer{t: t}).resume(s, guess, 0); err == nil {
		t.Error("a guess is a session")
	}
	p.call(q, "mp.len") // says that the frames before have come
	if _, err := p.resume(s, hello, 0); err == nil {
		t.Error("a session is resumed of which frames are missing")
	}
}

// A client of another version is told so in words that it understands.
func TestOldClient(t *testing.T) {
	s := serveTest(t, "unix")
	c := s.join(t)
	wantNo(t, "write", c.WriteFrame([]byte("\x83\x00\x01\xa2\x63pid\x01\x64name\x61x")))
	b, err := c.ReadFrame(1000)
	var f frames.Frame
	if err != nil || frames.Parse(b, &f) != nil || f.Kind != frames.Bye || !strings.Contains(string(f.Reason), "version 2") {
		t.Errorf("% x, %v", b, err)
	}
}

// lockTask holds a lock until it is killed.
var lockTask = mp.Func(lockInChild, mp.Named("manager.lockInChild"))

type lockArgs struct {
	Lock *mp.Mutex
	Held *mp.Queue[int]
}

func lockInChild(ctx context.Context, a lockArgs) (mp.None, error) {
	if err := a.Lock.Lock(ctx); err != nil {
		return mp.None{}, err
	}
	if err := a.Held.Put(ctx, 1); err != nil {
		return mp.None{}, err
	}
	<-ctx.Done()
	return mp.None{}, nil
}

// The death of a process of this machine is known, and no grace is given.
func TestDeathIsPrompt(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	for _, kind := range []string{"unix", "abstract", "tcp"} {
		t.Run(kind, func(t *testing.T) {
			s := serveTest(t, kind, keeping(time.Hour))
			m := dialTest(t, s)
			l, err := mp.NewMutex(mp.In(m))
			wantNo(t, "mutex", err)
			held, err := mp.NewQueue[int](1, mp.In(m))
			wantNo(t, "queue", err)
			p, err := lockTask.Start(t.Context(), lockArgs{l, held})
			wantNo(t, "start", err)
			_, err = held.Get(t.Context())
			wantNo(t, "get", err)
			_ = p.Kill()
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			var died *mp.OwnerDiedError
			if err := l.Lock(ctx); !errors.As(err, &died) {
				t.Errorf("lock: %v", err)
			}
			mptest.Eventually(t, func() bool { return s.away() == 0 }, "nobody is waited for")
		})
	}
}

// A server that has stopped keeps nobody longer than the time to notice that,
// and the grace: not even those who have no context.
func TestServerStops(t *testing.T) {
	s := serveTest(t, "tcp", keeping(50*time.Millisecond))
	m, p := behind(t, s, 5*time.Millisecond)
	l, err := mp.NewMutex(mp.In(m))
	wantNo(t, "mutex", err)
	wantNo(t, "lock", l.Lock(t.Context()))
	p.Hold()
	l.Unlock() // returns
	p.On()
}
