package list

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"multiproc/internal/cell"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
)

const (
	damageSize = 4 << 20
	damages    = 60
)

// TestDamage flips bits in the memory of a list. Calls then return what they find, or
// errors; none crashes, and none goes on for ever.
func TestDamage(t *testing.T) {
	l, seg := newList(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 11))
	m := &model{l: l, rnd: r, long: 300}
	vs, texts := m.values(2000)
	m.now = texts
	if err := l.Splice(ctx, func(int) (int, int, error) { return 0, 0, nil }, vs); err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if err := m.step(2000); err != nil {
			t.Fatal(err)
		}
	}
	p, err := seg.Map(0, damageSize)
	if err != nil {
		t.Fatal(err)
	}
	tail := *l.word(offTail)
	if tail > damageSize {
		t.Fatalf("%d bytes are in use", tail)
	}
	sound := append([]byte{}, unsafe.Slice((*byte)(p), tail)...)
	for range damages {
		hurt(t, sound, r)
	}
}

// hurt opens a damaged copy of a list and does all that can be done with it.
func hurt(t *testing.T, sound []byte, r *rand.Rand) {
	seg := segment(t)
	defer seg.Close()
	p, err := seg.Map(0, damageSize)
	if err != nil {
		t.Fatal(err)
	}
	mem := unsafe.Slice((*byte)(p), damageSize)
	copy(mem, sound)
	const from = shm.HeaderSize
	var flipped []int
	for range 1 + r.IntN(4) {
		at := from + r.IntN(len(sound)-from)
		switch r.IntN(4) {
		case 0, 1: // the words that matter most are at the beginning
			at = from + r.IntN(startAt-from)
		case 2: // those of the tree
			at = int(*(*uint64)(unsafe.Pointer(&mem[offBody])))%(len(sound)-64) + r.IntN(40)
			if r.IntN(2) == 0 {
				at = int(*(*uint64)(unsafe.Pointer(&mem[at&^7]))>>8)%(len(sound)-2000) + r.IntN(1000)
			}
		}
		if at < from || at >= offLock && at < lockEnd || at >= len(sound) {
			continue // package robust has a test of its own for the lock
		}
		bit := r.IntN(8)
		flipped = append(flipped, 8*at+bit)
		mem[at] ^= 1 << bit
	}
	l := attach(t, seg)
	defer l.Detach()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	check := func(what string, err error) {
		if err != nil && !errors.Is(err, mperr.ErrCorrupt) && !errors.Is(err, mperr.ErrTooLarge) {
			t.Fatalf("bits %d: %s: %v", flipped, what, err)
		}
	}
	m := model{l: l, rnd: r, long: 300}
	for range 60 {
		v, _ := m.value()
		i := r.IntN(2000)
		switch r.IntN(9) {
		case 0:
			_, err = l.Len(ctx)
			check("Len", err)
		case 1:
			_, _, err = l.Read(ctx, func(n int) Span { return Span{min(n, 100), 1, min(500, max(n-100, 0))} })
			check("Read", err)
		case 2:
			_, _, err = l.Pop(ctx, i)
			check("Pop", err)
		case 3:
			_, _, err = l.Pop(ctx, -1)
			check("Pop the last", err)
		case 4:
			vs, _ := m.values(r.IntN(300))
			check("Splice", l.Splice(ctx, func(n int) (int, int, error) { return min(i, n), min(i+50, n), nil }, vs))
		case 5:
			check("Insert", l.Insert(ctx, i, v))
		case 6:
			_, _ = l.GetWord(i)
			_, err = l.Get(ctx, i, nil)
			check("Get", err)
		case 7:
			check("Append", add(l, v))
		default:
			_, _, err = l.Set(ctx, i, v, Always)
			check("Set", err)
		}
	}
	if n, err := l.Len(ctx); err == nil && n < 10_000 {
		check("Rewrite", l.Rewrite(ctx, func(now []cell.Cell) (Edit, error) { return Edit{0, len(now), now}, nil }))
	}
	check("Clear", l.Clear(ctx))
}

// What cannot be is an error of the call, not of another time.
func TestOddOffset(t *testing.T) {
	l, _ := newList(t)
	for range 3 {
		if err := l.Append(ctx, item(1, 100)); err != nil {
			t.Fatal(err)
		}
	}
	c := l.call()
	body := l.load(offBody)
	*c.h.Word(c.find(body, 1, 3).slot()) += 4
	if _, err := l.Get(ctx, 1, nil); !errors.Is(err, mperr.ErrCorrupt) {
		t.Errorf("Get: %v, want %v", err, mperr.ErrCorrupt)
	}
	if _, _, err := l.Read(ctx, whole); !errors.Is(err, mperr.ErrCorrupt) {
		t.Errorf("Read: %v, want %v", err, mperr.ErrCorrupt)
	}
}

// A place beyond what a leaf can have is damage: what stands there is another's.
func TestBeyondLeaf(t *testing.T) {
	l, _ := newList(t)
	for i := range 2000 {
		if err := l.Append(ctx, intCell(i)); err != nil {
			t.Fatal(err)
		}
	}
	c := l.call()
	body := l.load(offBody)
	*c.h.Word(body + bodyBase) = 0
	*c.h.Word(c.h.Load(body+bodyLast) + leafWords + 8*300) = intCell(1).Word
	if f, err := l.Get(ctx, 300, nil); !errors.Is(err, mperr.ErrCorrupt) {
		t.Errorf("Get: %+v, %v, want %v", f, err, mperr.ErrCorrupt)
	}
}
