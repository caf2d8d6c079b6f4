//go:build interop

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyvalue"
	"multiproc/mp"
)

// memoryLimit is that of the servers under attack. They may take 1.3 times as
// much, and what a server takes that does nothing.
const (
	memoryLimit = 200 << 20
	bareServer  = 20 << 20
)

// Whatever one client does, the server stays within its budget, and another
// client's calls go on.
func TestMemoryIsBounded(t *testing.T) {
	for _, a := range memoryAttacks {
		t.Run(a.name, func(t *testing.T) {
			s := startServer(t, "unix", fmt.Sprint(bytesEnv, "=", memoryLimit), fmt.Sprint(spaceEnv, "=", 3<<30))
			other := goOn(t, s)
			began := time.Now()
			a.attack(t, s)
			took := time.Since(began)
			calls, failed, p99 := other()
			peak := s.status(t, "VmHWM")
			t.Logf("%s: peak %d MiB of %d, in %v; another client: %d calls, %d failed, p99 %v",
				a.name, peak>>10, memoryLimit>>20, took.Round(time.Millisecond), calls, failed, p99)
			if most := (memoryLimit*13/10 + bareServer) >> 10; peak > most {
				t.Errorf("%s: the server took %d KiB, more than %d", a.name, peak, most)
			}
			if failed > 0 {
				t.Errorf("%s: %d of %d calls of another client failed", a.name, failed, calls)
			}
			must(t, named[int](t, s.dial(t), "afterwards").Set(t.Context(), "k", 1))
		})
	}
}

// goOn calls all the time, as a client who has nothing to do with the attack.
func goOn(t *testing.T, s *testServer) (end func() (calls, failed int, p99 time.Duration)) {
	d := named[[]byte](t, s.dial(t), "another client's")
	ctx, cancel := context.WithCancel(t.Context())
	var times []time.Duration
	failed := 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			began := time.Now()
			err := d.Set(ctx, fmt.Sprint(i%100), make([]byte, 1000))
			if err == nil {
				_, err = d.Get(ctx, fmt.Sprint(i%100))
			}
			if err != nil && ctx.Err() == nil {
				if failed++; failed == 1 {
					t.Log("another client:", err)
				}
			}
			times = append(times, time.Since(began))
		}
	})
	return func() (int, int, time.Duration) {
		cancel()
		wg.Wait()
		slices.Sort(times)
		return len(times), failed, times[len(times)*99/100]
	}
}

var memoryAttacks = []struct {
	name   string
	attack func(t *testing.T, s *testServer)
}{
	{"exposed names by reference", attackExposed},
	{"repeat", attackRepeat},
	{"a text as characters", attackCharacters},
	{"answers that nobody reads", attackOutboxes},
	{"small values", attackSmallValues},
	{"frames that do not end", attackFrames},
	{"large integers", attackIntegers},
	{"names of classes", attackGlobals},
	{"arguments that are not kept", attackArguments},
	{"names", attackNames},
	{"a list of names", attackNameLists},
	{"tuples as keys", attackKeys},
	{"calls that wait", attackWaiting},
	{"idle connections", attackConnections},
}

// call makes one call of a method of an object as a Python client. An error is
// the connection's.
func pyCall(c *pyconn.Conn, ident, method string, args ...any) (kind string, v pyvalue.Value, err error) {
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", nil, err
	}
	if err := request(c, ident, method, args...); err != nil {
		return "", nil, err
	}
	return answer(c)
}

func attackExposed(t *testing.T, s *testServer) {
	ident, _ := s.create(t, "list")
	names := &pyvalue.List{}
	for i := range 20_000 {
		names.Items = append(names.Items, fmt.Sprintf("m%d", i))
	}
	var proxies pyvalue.Tuple
	for range 2000 {
		token := &pyvalue.Object{
			Func: pyvalue.Global{Module: "multiprocessing.managers", Name: "Token"}, Args: pyvalue.Tuple{}, New: true,
			State: pyvalue.Tuple{"list", s.address, ident}, HasState: true,
		}
		proxies = append(proxies, &pyvalue.Object{
			Func: pyvalue.Global{Module: "multiprocessing.managers", Name: "RebuildProxy"},
			Args: pyvalue.Tuple{pyvalue.Global{Module: "multiprocessing.managers", Name: "AutoProxy"}, token, "pickle", &pyvalue.Dict{Entries: []pyvalue.Entry{{Key: "exposed", Value: names}}}},
		})
	}
	c := s.channel(t)
	kind, _, err := pyCall(c, ident, "append", proxies)
	t.Log("append:", kind, err)
	for range 3 {
		kind, _, err = pyCall(c, ident, "__getitem__", int64(0))
		t.Log("l[0]:", kind, err)
	}
}

func attackRepeat(t *testing.T, s *testServer) {
	m := s.dial(t)
	l, err := mp.NewList[[]byte](mp.In(m), mp.WithName("repeated"))
	l = closing(t, l, err)
	must(t, l.Append(t.Context(), make([]byte, 20<<20)))
	for _, n := range []int{2000, 100, 4, 2} {
		if err := l.Repeat(t.Context(), n); err != nil {
			t.Logf("repeat %d: %v", n, err)
		}
	}
	_, err = l.Slice(t.Context(), 0, 1000, 1)
	t.Log("slice:", err)
	ident, _ := s.create(t, "repeated")
	c := s.channel(t)
	for _, method := range []string{"copy", "__str__", "__mul__", "__reversed__"} {
		var args []any
		if method == "__mul__" {
			args = append(args, int64(2000))
		}
		kind, _, err := pyCall(c, ident, method, args...)
		t.Log(method, kind, err)
	}
}

func attackCharacters(t *testing.T, s *testServer) {
	for _, n := range []int{60_000_000, 2_000_000, 500_000} {
		for _, typ := range []string{"list", "set", "Queue"} {
			c := s.join(t)
			must(t, request(c, nil, "create", typ, strings.Repeat("x", n)))
			kind, _, err := answer(c)
			t.Log(typ, n, kind, err)
		}
	}
}

func attackOutboxes(t *testing.T, s *testServer) {
	ident, _ := s.create(t, "list")
	c := s.channel(t)
	for range 30 {
		if kind, _, err := pyCall(c, ident, "append", random(1<<20)); kind != "#RETURN" {
			t.Fatal(kind, err)
		}
	}
	for range 200 {
		must(t, request(s.channel(t), ident, "copy"))
	}
	reached(t, s, "copies")
}

// reached waits until the server has nothing to do any more.
func reached(t *testing.T, s *testServer, what string) {
	last, same := -1, 0
	settle(t, what, func() (string, bool) {
		now := s.status(t, "VmRSS") >> 10
		if now == last {
			same++
		} else {
			last, same = now, 0
		}
		return fmt.Sprint(now), same > 20
	})
}

func attackSmallValues(t *testing.T, s *testServer) {
	small := append(frames.AppendArray(nil, 10<<20), bytes.Repeat([]byte{0x80}, 10<<20)...) // empty lists
	var all []*session
	for range 20 {
		c := s.session(t)
		id := open(t, c, "list", "small")
		for seq, method := range []string{"mp.append", "mp.index", "mp.count", "mp.has"} {
			n := 1
			if method == "mp.index" {
				n = 3
			}
			call := append(frames.AppendCall(nil, uint64(seq+2), id, method, frames.NoTimeout, n), small...)
			for range n - 1 {
				call = frames.AppendUint(call, 0)
			}
			must(t, c.SetDeadline(time.Now().Add(time.Minute)))
			if err := c.WriteFrame(call); err != nil { // the session ended with the last one
				t.Log(err)
				break
			}
		}
		all = append(all, c)
	}
	for _, c := range all {
		for range 4 {
			if _, err := c.ReadFrame(1 << 30); err != nil {
				t.Log(err)
				break
			}
		}
	}
}

func attackFrames(t *testing.T, s *testServer) {
	var wg sync.WaitGroup
	for i := range 100 {
		c := s.channel(t)
		if i%2 == 1 {
			c = s.session(t).Conn
		}
		wg.Go(func() {
			conn := c.NetConn()
			_ = conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
			_, _ = conn.Write([]byte{4, 0, 0, 0}) // 64 MiB
			for range 60 {
				if _, err := conn.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}

// fillUp calls a method until it fails.
func fillUp(t *testing.T, s *testServer, typ, method string, args func(i int) []any) {
	ident, _ := s.create(t, typ)
	c := s.channel(t)
	for i := range 5000 {
		if kind, v, err := pyCall(c, ident, method, args(i)...); kind != "#RETURN" {
			t.Logf("%s %d: %s %v %v", method, i, kind, pyvalue.ReprWithin(v, 300), err)
			return
		}
	}
}

func attackIntegers(t *testing.T, s *testServer) {
	n := new(big.Int).Lsh(big.NewInt(1), 8<<20)
	fillUp(t, s, "list", "append", func(i int) []any { return []any{new(big.Int).Add(n, big.NewInt(int64(i)))} })
}

func attackGlobals(t *testing.T, s *testServer) {
	fillUp(t, s, "list", "append", func(i int) []any {
		return []any{pyvalue.Global{Module: strings.Repeat("m", 1<<20), Name: fmt.Sprint(i)}}
	})
}

func attackArguments(t *testing.T, s *testServer) {
	c := s.session(t)
	id := open(t, c, "Queue", "pinned")
	block := make([]byte, 40<<20)
	for i := range 60 {
		call := frames.AppendUint(frames.AppendCall(nil, uint64(i+2), id, "put", frames.NoTimeout, 2), uint64(i))
		must(t, c.SetDeadline(time.Now().Add(time.Minute)))
		must(t, c.WriteFrame(frames.AppendBytes(call, block)))
		if _, err := c.ReadFrame(1 << 20); err != nil {
			t.Log(i, err)
			return
		}
	}
}

func attackNames(t *testing.T, s *testServer) {
	m := s.dial(t)
	for i := range 50_000 {
		_, err := mp.NewDict[string, int](mp.In(m), mp.WithName(fmt.Sprintf("%0*d", 4000, i)))
		if err != nil {
			t.Log(i, err)
			return
		}
	}
}

func attackNameLists(t *testing.T, s *testServer) {
	m := s.dial(t)
	n := 0
	for ; n < 50_000; n++ {
		if _, err := mp.NewDict[string, int](mp.In(m), mp.WithName(fmt.Sprint("object ", n))); err != nil {
			t.Log(err)
			break
		}
	}
	for range 5 {
		names, err := m.Names(t.Context())
		t.Log(n, "names:", len(names), err)
	}
}

func attackKeys(t *testing.T, s *testServer) {
	d := &pyvalue.Dict{}
	for i := range 300 {
		var key pyvalue.Value = pyvalue.Tuple{int64(i)}
		for range 10 {
			key = pyvalue.Tuple{key, key}
		}
		d.Entries = append(d.Entries, pyvalue.Entry{Key: key, Value: int64(i)})
	}
	ident, _ := s.create(t, "list")
	c := s.channel(t)
	for _, method := range []string{"append", "index", "count", "__contains__"} {
		kind, v, err := pyCall(c, ident, method, d)
		t.Log(method, kind, pyvalue.ReprWithin(v, 100), err)
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
	}
}

func attackWaiting(t *testing.T, s *testServer) {
	for range 8 {
		c := s.session(t)
		id := open(t, c, "Queue", "empty")
		go func() { // what it is told does not matter
			for {
				if _, err := c.ReadFrame(1 << 20); err != nil {
					return
				}
			}
		}()
		must(t, c.SetDeadline(time.Now().Add(time.Minute)))
		for i := range 20_000 {
			if err := c.WriteFrame(frames.AppendCall(nil, uint64(i+2), id, "mp.get", frames.NoTimeout, 0)); err != nil {
				t.Log(err)
				break
			}
		}
	}
	reached(t, s, "calls")
}

func attackConnections(t *testing.T, s *testServer) {
	for i := range 5000 {
		c, err := s.connect()
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
		p := pyconn.New(c)
		must(t, p.SetDeadline(time.Now().Add(time.Minute)))
		if err := pyconn.ClientHandshake(p, s.key); err != nil {
			t.Log(i, err)
			return
		}
		if err := p.WriteFrame(frames.AppendClientHello(nil, frames.ClientHello{Name: "idle"})); err != nil {
			t.Log(i, err)
			return
		}
		if _, err := p.ReadFrame(1 << 20); err != nil {
			t.Log(i, err)
			return
		}
	}
}
