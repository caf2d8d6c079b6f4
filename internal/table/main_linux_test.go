package table

import (
	"context"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"multiproc/internal/childtest"
	"multiproc/internal/shm"
)

var roles = map[string]func(*childtest.Self){}

func TestMain(m *testing.M) { childtest.Main(m, roles) }

func init() {
	roles["member"] = func(c *childtest.Self) { converse(c, join(c)) }
}

// join makes a child the process that its arguments say: family, slot, gen.
func join(c *childtest.Self) *Table {
	family, err := hex.DecodeString(c.Args[0])
	c.Check(err)
	t, err := Attach(3, shm.ID(family), Ref{Slot: number(c.Args[1]), Gen: number(c.Args[2])})
	c.Check(err)
	c.Say("in")
	return t
}

func number(s string) uint32 {
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}

// converse does what the test says, for as long as it speaks.
func converse(c *childtest.Self, t *Table) {
	h := holdersOf(c, t)
	for {
		words := strings.Fields(c.Hear())
		switch words[0] {
		case "reserve":
			ref, err := t.Reserve("grandchild")
			c.Check(err)
			c.Say("%d %d", ref.Slot, ref.Gen)
		case "release":
			t.Release(Ref{Slot: number(words[1]), Gen: number(words[2])})
			c.Say("released")
		case "serve":
			t.Serve()
			c.Say("serving")
		case "leave":
			t.Leave()
			c.Say("left")
		case "hold":
			delta, _ := strconv.Atoi(words[1])
			c.Check(h.Add(context.Background(), t.Self(), delta))
			c.Say("held")
		case "live":
			c.Say("%v", t.Live(Ref{Slot: number(words[1]), Gen: number(words[2])}))
		}
	}
}

// holdersOf finds the segment with a Holders on descriptor 4, if there is one.
func holdersOf(c *childtest.Self, t *Table) *Holders {
	h := &Holders{}
	seg, err := shm.Open(4, shm.Want{Kind: shm.KindPipe, Family: t.Family()})
	if err != nil {
		return h
	}
	p, err := seg.Map(0, seg.Size)
	c.Check(err)
	h.Init(t, unsafe.Add(p, shm.HeaderSize))
	return h
}

func newHolders(t testing.TB, tab *Table) (*Holders, *shm.Segment) {
	t.Helper()
	seg, err := shm.Create(shm.Header{Kind: shm.KindPipe, Family: tab.Family(), Size: shm.HeaderSize + HoldersSize})
	if err != nil {
		t.Fatal(err)
	}
	p, err := seg.Map(0, seg.Size)
	if err != nil {
		t.Fatal(err)
	}
	h := &Holders{}
	h.Init(tab, unsafe.Add(p, shm.HeaderSize))
	return h, seg
}

// newTable makes a family. It is never closed, as in a program.
func newFamily(t testing.TB) *Table {
	t.Helper()
	tab, err := Create("root")
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func file(t testing.TB, seg *shm.Segment) *os.File {
	t.Helper()
	fd, err := seg.Dup()
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "segment")
}

// start starts a child as ref.
func start(t testing.TB, tab *Table, ref Ref, h *shm.Segment, env ...string) *childtest.Child {
	t.Helper()
	o := childtest.Options{Files: []*os.File{file(t, tab.seg)}, Env: env}
	if h != nil {
		o.Files = append(o.Files, file(t, h))
	}
	id := tab.Family()
	return childtest.Start(t, o, "member", hex.EncodeToString(id[:]), strconv.Itoa(int(ref.Slot)), strconv.Itoa(int(ref.Gen)))
}

func reserve(t testing.TB, tab *Table, name string) Ref {
	t.Helper()
	ref, err := tab.Reserve(name)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// member reserves a slot and starts a child in it.
func member(t testing.TB, tab *Table, h *shm.Segment) (*childtest.Child, Ref) {
	t.Helper()
	ref := reserve(t, tab, "child")
	c := start(t, tab, ref, h)
	c.Expect("in")
	return c, ref
}

func refOf(t testing.TB, line string) Ref {
	t.Helper()
	words := strings.Fields(line)
	if len(words) != 2 {
		t.Fatalf("%q is no ref", line)
	}
	return Ref{Slot: number(words[0]), Gen: number(words[1])}
}

func deaths(tab *Table) uint32 { return atomic.LoadUint32(tab.death) }
