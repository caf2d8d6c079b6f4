//go:build linux

package mp_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

func eventually(t testing.TB, c *mp.Counter, n int64) {
	t.Helper()
	mptest.Eventually(t, func() bool { return c.Load() == n }, "a counter came to %d", n)
}

// Add adds to a counter.
var Add = mp.Proc(add)

func add(_ context.Context, j struct {
	C *mp.Counter
	N int64
},
) error {
	j.C.Add(j.N)
	return nil
}

func TestHundredShort(t *testing.T) {
	c := counter(t, 0)
	var running []mp.Child
	for i := range int64(100) {
		running = append(running, start(t, Add, struct {
			C *mp.Counter
			N int64
		}{c, i}))
	}
	for _, p := range running {
		finish(t, p)
		if s := p.State(); s.ExitCode != 0 || s.Signal != 0 {
			t.Errorf("%s: %v", p.Name(), s)
		}
	}
	if n := c.Load(); n != 4950 {
		t.Errorf("together they added %d, want 4950", n)
	}
}

func TestHundredSleeping(t *testing.T) {
	c := counter(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	var running []mp.Child
	for range 100 {
		running = append(running, get(Wait.Start(ctx, c))(t))
	}
	eventually(t, c, 100)
	if n := len(mp.Children()); n != 100 {
		t.Errorf("%d children, want 100", n)
	}
	cancel()
	for _, p := range running {
		wantErr(t, p.Name(), p.Wait(t.Context()), context.Canceled)
	}
	if n := len(mp.Children()); n != 0 {
		t.Errorf("%d children are left", n)
	}
}

// An endless reader is terminated, as in the seed.
func TestEndlessReader(t *testing.T) {
	recv, send := oneWay[int](t)
	sum := counter(t, 0)
	p := start(t, Read, reader{recv, sum})
	for i := range 100 {
		must(t, send.Send(t.Context(), i))
	}
	eventually(t, sum, 4950)
	p.Cancel(nil)
	wantErr(t, "reader", p.Wait(t.Context()), context.Canceled)
	wantErr(t, "Send without a reader", send.Send(t.Context(), 1), mp.ErrBrokenPipe)
}

type reader struct {
	Conn *mp.Conn[mp.None, int]
	Sum  *mp.Counter
}

// Read adds up what it reads.
var Read = mp.Proc(read)

func read(ctx context.Context, r reader) error {
	for v, err := range r.Conn.Drain(ctx) {
		if err != nil {
			return err
		}
		r.Sum.Add(int64(v))
	}
	return nil
}

// Recurse sends its path and then starts two children of its own, one after
// the other: depth first, as in CPython's test_recursion.
var Recurse *mp.Task[branch, mp.None]

func init() { Recurse = mp.Proc(recurse) }

type branch struct {
	Path []int
	Out  *mp.Queue[[]int]
}

func recurse(ctx context.Context, b branch) error {
	if err := b.Out.Put(ctx, b.Path); err != nil {
		return err
	}
	if len(b.Path) == 2 {
		return nil
	}
	for i := range 2 {
		if _, err := Recurse.Run(ctx, branch{append(b.Path[:len(b.Path):len(b.Path)], i), b.Out}); err != nil {
			return err
		}
	}
	return nil
}

func TestRecursion(t *testing.T) {
	q := queue[[]int](t, 0)
	finish(t, start(t, Recurse, branch{nil, q}))
	for _, want := range [][]int{{}, {0}, {0, 0}, {0, 1}, {1}, {1, 0}, {1, 1}} {
		got := get(q.TryGet(t.Context()))(t)
		if len(got) != len(want) || (len(got) > 0 && got[0] != want[0]) || (len(got) > 1 && got[1] != want[1]) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// Descriptors of siblings do not reach a child.
func TestChildInheritsNothingElse(t *testing.T) {
	first := get(CountFDs.Run(t.Context(), mp.None{}))(t)
	begun := counter(t, 0)
	for range 20 {
		start(t, Wait, begun)
	}
	if n := get(CountFDs.Run(t.Context(), mp.None{}))(t); n != first {
		t.Errorf("a child has %d descriptors open, with 20 siblings %d", first, n)
	}
}

// CountFDs counts the sockets, pipes and memory files of its process. Others,
// files of /proc that the library or the runtime is reading for example, come and
// go.
var CountFDs = mp.Func(countFDs)

func countFDs(context.Context, mp.None) (n int, err error) {
	list, err := os.ReadDir("/proc/self/fd")
	for _, e := range list {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && (strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, "pipe:") || strings.HasPrefix(to, "/memfd:")) {
			n++
		}
	}
	return n, err
}

// A child that never reads its arguments does not hold Start up for longer
// than its context says.
func TestStartIntoAHungChild(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	p, err := Length.With(mp.StartOptions{Env: []string{hangEnv + "=1"}, Grace: short}).Start(ctx, make([]byte, 4<<20))
	if err == nil {
		err = p.Wait(t.Context())
		t.Errorf("Start succeeded, Wait: %v", err)
	}
	wantErr(t, "Start", err, context.DeadlineExceeded)
}

// Length returns the number of bytes it is given.
var Length = mp.Func(length)

func length(_ context.Context, b []byte) (int, error) { return len(b), nil }

func TestBigArguments(t *testing.T) {
	b := bytes.Repeat([]byte{'x', 0, 255, '\n'}, 5<<20)
	if n := get(Length.Run(t.Context(), b))(t); n != 20<<20 {
		t.Errorf("%d bytes arrived", n)
	}
}

// The starter that dies takes the second generation along, and the cause says
// so however the news came.
func TestOrphanKnowsWhy(t *testing.T) {
	q := queue[string](t, 0)
	for range 20 {
		p := start(t, Middle, q)
		if s := get(q.Get(t.Context()))(t); s != "waiting" {
			t.Fatal(s)
		}
		must(t, p.Kill())
		if s := get(q.Get(t.Context()))(t); s != "orphaned: true, parent done: true" {
			t.Fatalf("the grandchild says %q", s)
		}
	}
}

// Middle starts an Orphan and waits for it.
var (
	Middle = mp.Proc(middle)
	Orphan = mp.Proc(orphan)
)

func middle(ctx context.Context, q *mp.Queue[string]) error {
	_, err := Orphan.Run(ctx, q)
	return err
}

func orphan(ctx context.Context, q *mp.Queue[string]) error {
	if err := q.Put(ctx, "waiting"); err != nil {
		return err
	}
	<-ctx.Done()
	late, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	select {
	case <-mp.Parent().Done():
	case <-late.Done():
	}
	done := late.Err() == nil
	text := "orphaned: " + yes(errors.Is(context.Cause(ctx), mp.ErrOrphaned)) + ", parent done: " + yes(done)
	return q.Put(context.Background(), text)
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
