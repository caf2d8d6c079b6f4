//go:build interop

package interop

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/interchange"
	"multiproc/internal/pickle"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyvalue"
	"multiproc/manager"
)

// golden are the recorded requests of CPython's clients.
func golden(t testing.TB) (all [][]byte) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "internal", "pickle", "testdata", "frames.txt"))
	closing(t, f, err)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[1] == "C" {
			b, err := hex.DecodeString(fields[2])
			must(t, err)
			all = append(all, b)
		}
	}
	must(t, lines.Err())
	return all
}

// mutate changes some bytes of a message, or its shape.
func mutate(r *rand.Rand, b []byte, others [][]byte) []byte {
	b = bytes.Clone(b)
	kinds := []int{2, 8}[r.IntN(2)] // small changes keep more of the meaning
	for range 1 + r.IntN(kinds) {
		if len(b) == 0 {
			return b
		}
		i := r.IntN(len(b))
		if kinds == 2 { // and the arguments are at the end
			i = len(b)/2 + i/2
		}
		n := min(len(b)-i, 1+r.IntN(16))
		switch r.IntN(kinds) {
		case 0:
			b[i] ^= 1 << r.IntN(8)
		case 1:
			b[i] = byte(r.IntN(256))
		case 2:
			b = append(b[:i:i], b[i+n:]...)
		case 3:
			b = append(append(b[:i+n:i+n], b[i:i+n]...), b[i+n:]...)
		case 4:
			b = b[:i]
		case 5:
			other := others[r.IntN(len(others))]
			b = append(b[:i:i], other[min(i, len(other)):]...)
		case 6:
			for j := range min(n, 8) {
				b[i+j] = 0xff
			}
		case 7:
			b = append(append(b[:i:i], bytes.Repeat(b[i:i+n], 1+r.IntN(1000))...), b[i+n:]...)
		}
	}
	return b
}

// targets are objects of this server, by their methods.
func targets(t testing.TB, s *testServer) map[string][]string {
	t.Helper()
	idents := map[string][]string{}
	for _, args := range [][]any{
		{"list", &pyvalue.List{Items: []any{int64(1), int64(2), int64(3)}}},
		{"dict"},
		{"Queue", int64(3)},
		{"Namespace"},
		{"Lock"},
		{"RLock"},
		{"Semaphore"},
		{"Condition"},
		{"Event"},
		{"set"},
		{"Value", "i", int64(0)},
		{"Array", "i", &pyvalue.List{Items: []any{int64(1), int64(2)}}},
		{"Barrier", int64(3)},
	} {
		ident, exposed := s.create(t, args...)
		for _, m := range append(exposed, "#GETVALUE", "__str__", "mp.add", "mp.page", "mp.compareAndSwap", "mp.setVersion") {
			idents[m.(string)] = append(idents[m.(string)], ident)
		}
	}
	return idents
}

// ours are the recorded calls of methods, as calls of this server's objects.
func ours(t testing.TB, idents map[string][]string, requests [][]byte) (all [][]byte) {
	t.Helper()
	for _, b := range requests {
		v, err := pickle.Decode(b, pickle.Options{})
		must(t, err)
		r, ok := v.(pyvalue.Tuple)
		if !ok || len(r) != 4 {
			continue
		}
		method, _ := r[1].(string)
		for _, ident := range idents[method] {
			b, err := pickle.Encode(nil, pyvalue.Tuple{ident, method, r[2], r[3]}, pickle.EncodeOptions{})
			must(t, err)
			all = append(all, b)
		}
	}
	return all
}

// invent makes a value that nobody expects.
func invent(r *rand.Rand, depth int) pyvalue.Value {
	plain := []pyvalue.Value{
		nil, true, false, int64(0), int64(1), int64(-1), int64(r.IntN(1 << 20)), int64(math.MaxInt64), int64(math.MinInt64),
		new(big.Int).Lsh(big.NewInt(-1), uint(r.IntN(3000))), 0.5, math.NaN(), math.Inf(-1), math.Copysign(0, -1), complex(1, math.Inf(1)),
		"", "x", "__class__", strings.Repeat("\u00e9", r.IntN(100)), "\xff", []byte(nil),
		[]byte{0, 255},
		&pyvalue.ByteArray{B: []byte("b")},
		pyvalue.Slice{Start: int64(r.IntN(9) - 4), Stop: nil, Step: int64(r.IntN(5) - 2)},
		pyvalue.Range{Start: int64(0), Stop: int64(9), Step: int64(-3)},
		pyvalue.Global{Module: "os", Name: "system"},
		&pyvalue.Object{Func: pyvalue.Global{Module: "builtins", Name: "eval"}, Args: pyvalue.Tuple{"1"}},
	}
	n := r.IntN(len(plain) + 8)
	if n < len(plain) || depth == 0 {
		return plain[n%len(plain)]
	}
	var items []pyvalue.Value
	for range r.IntN(4) {
		items = append(items, invent(r, depth-1))
	}
	switch n - len(plain) {
	case 0, 1:
		return pyvalue.Tuple(items)
	case 2:
		l := &pyvalue.List{Items: items}
		l.Items = append(l.Items, l)
		return l
	case 3:
		return &pyvalue.FrozenSet{Items: []pyvalue.Value{int64(1), "a"}}
	case 4:
		return &pyvalue.Set{Items: []pyvalue.Value{int64(1), pyvalue.Tuple{}}}
	case 5:
		d := &pyvalue.Dict{}
		for i, v := range items {
			d.Entries = append(d.Entries, pyvalue.Entry{Key: int64(i), Value: v})
		}
		return d
	}
	return &pyvalue.List{Items: items}
}

// invented is a call that nobody expects.
func invented(t testing.TB, r *rand.Rand, idents map[string][]string) []byte {
	t.Helper()
	methods := slices.Sorted(maps.Keys(idents))
	method := methods[r.IntN(len(methods))]
	args := pyvalue.Tuple{}
	for range r.IntN(4) {
		args = append(args, invent(r, 3))
	}
	named := &pyvalue.Dict{}
	if r.IntN(4) == 0 {
		name := []string{"timeout", "block", "key", "reverse", "default", "item", "x"}[r.IntN(7)]
		named.Entries = append(named.Entries, pyvalue.Entry{Key: name, Value: invent(r, 2)})
	}
	b, err := pickle.Encode(nil, pyvalue.Tuple{idents[method][r.IntN(len(idents[method]))], method, args, named}, pickle.EncodeOptions{})
	must(t, err)
	return b
}

// Pickles from a generator are answered, or end their connection.
func TestMutatedPickles(t *testing.T) {
	hostile(t, "unix", 96, func(s *testServer, m *manager.Manager) {
		requests := golden(t)
		idents := targets(t, s)
		calls := ours(t, idents, requests)
		if len(requests) < 200 || len(calls) < 100 {
			t.Fatalf("only %d recorded requests, %d calls", len(requests), len(calls))
		}
		r := rand.New(rand.NewPCG(1, 2))
		kinds := map[string]int{}
		fate := func(c *pyconn.Conn, b []byte) bool {
			if bytes.Contains(b, []byte("shutdown")) {
				return true // that would be the end of it
			}
			_ = c.SetDeadline(time.Now().Add(20 * time.Millisecond)) // some calls wait for ever
			if c.WriteFrame(b) != nil {
				kinds["ended"]++
				return false
			}
			kind, _, err := answer(c)
			if err != nil {
				kind = "ended, or waits"
			}
			kinds[kind]++
			return err == nil
		}
		for range 1000 {
			c := s.join(t)
			fate(c, mutate(r, requests[r.IntN(len(requests))], requests))
			_ = c.Close()
		}
		var c *pyconn.Conn
		for i := range 12_000 {
			if c == nil {
				c = s.channel(t)
			}
			b := invented(t, r, idents)
			if i%2 == 0 {
				b = mutate(r, calls[r.IntN(len(calls))], calls)
			}
			if !fate(c, b) {
				_ = c.Close()
				c = nil
			}
		}
		if c != nil {
			_ = c.Close()
		}
		t.Logf("what became of them: %v", kinds)
	})
}

// goCalls are messages of Go's protocol.
func goCalls(t testing.TB, id uint64) (all [][]byte) {
	t.Helper()
	add := func(object uint64, method string, args ...any) {
		b := frames.AppendCall(nil, uint64(len(all)+2), object, method, 5, len(args))
		for _, a := range args {
			var err error
			b, err = interchange.AppendValue(b, a)
			must(t, err)
		}
		all = append(all, b)
	}
	nested := &pyvalue.List{Items: []any{int64(1), "text", 2.5, nil, true, pyvalue.Tuple{[]byte("b")}, &pyvalue.Dict{}, &pyvalue.Set{}}}
	for _, store := range []string{"count", "debug", "names", "ping", "info"} {
		add(0, store)
	}
	for _, kind := range []string{"dict", "list", "set", "Queue", "Value", "Namespace", "Lock"} {
		add(0, "open", kind, "name of "+kind, &pyvalue.List{})
		add(0, "create", kind, &pyvalue.List{})
	}
	for _, m := range []string{"attach", "release", "ticket", "redeem", "forget"} {
		add(0, m, int64(id))
	}
	for _, m := range []string{"get", "set", "add", "pop", "setDefault", "compareAndSwap", "page", "watch", "len", "delete", "clear", "setVersion", "update"} {
		add(id, "mp."+m, "key", nested, int64(1))
		add(id, "mp."+m, "key", int64(1))
		add(id, "mp."+m, nested)
		add(id, "mp."+m)
	}
	all = append(all, frames.AppendCancel(nil, 3), frames.AppendAck(nil, 4, false),
		frames.AppendClientHello(nil, frames.ClientHello{PID: 7, Name: "x"}))
	return all
}

// callOf is whose method a frame calls, 0 if it is no call of an object's.
func callOf(b []byte) uint64 {
	var f frames.Frame
	if frames.Parse(b, &f) != nil || f.Kind != frames.Call {
		return 0
	}
	return f.Object
}

// So is CBOR.
func TestMutatedCBOR(t *testing.T) {
	hostile(t, "unix", 96, func(s *testServer, m *manager.Manager) {
		r := rand.New(rand.NewPCG(3, 4))
		sessions, sent := 0, 0
		keep := s.session(t) // or the id might become another object's
		defer func() { _ = keep.Close() }()
		others := open(t, keep, "dict", "counts") // the bystander's
		for sent < 20_000 {
			c := s.session(t)
			calls := goCalls(t, open(t, c, "dict", "hostile"))
			sessions++
			go func() { // answers are not looked at
				for {
					if _, err := c.ReadFrame(1 << 30); err != nil {
						return
					}
				}
			}()
			for range 1000 {
				b := mutate(r, calls[r.IntN(len(calls))], calls)
				if bytes.Contains(b, []byte("shutdown")) || callOf(b) == others {
					continue // a good call: any member may end the server, or clear a dict
				}
				sent++
				if c.WriteFrame(b) != nil {
					break
				}
			}
			_ = c.Close()
		}
		t.Logf("%d messages in %d sessions", sent, sessions)
	})
}
