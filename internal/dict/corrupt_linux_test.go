package dict

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"multiproc/internal/cell"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

// TestDamage flips bits in the memory of a dict. Calls then return what they find, or
// errors; none crashes, and none goes on for ever.
func TestDamage(t *testing.T) {
	for _, cfg := range []Config{{Bits: 0}, {Bits: 2}} {
		damage(t, cfg)
	}
}

const (
	damageSize = 1 << 20
	damages    = 30
)

func damage(t *testing.T, cfg Config) {
	d, seg := newDict(t, cfg)
	seed := rand.Uint64()
	t.Logf("%+v, seed %d", cfg, seed)
	r := rand.New(rand.NewPCG(seed, 11))
	m := &model{t: t, d: d, rnd: r, now: map[int][]byte{}, ver: map[int]uint64{}, keys: 900}
	d.minRing, d.maxRing = damageRing, 4*damageRing
	w := watch(t, d)
	for range 4000 {
		m.step()
	}
	at := slices.Clone(w.at)
	whole, err := seg.Map(0, damageSize)
	if err != nil {
		t.Fatal(err)
	}
	tail := *d.word(offTail)
	if tail > damageSize {
		t.Fatalf("%d bytes are in use", tail)
	}
	sound := append([]byte{}, unsafe.Slice((*byte)(whole), tail)...)
	for range damages {
		hurt(t, seg.Params, sound, at, r)
	}
}

// damageRing is the size of the rings of those who watch: all of them are in damageSize.
const damageRing = 4 << 10

// hurt opens a damaged copy of a dict and does all that can be done with it.
func hurt(t *testing.T, params [4]uint64, sound []byte, at []uint64, r *rand.Rand) {
	seg, err := shm.Create(shm.Header{Kind: shm.KindDict, ID: shm.NewID(), Size: Size(), Params: params})
	if err != nil {
		t.Fatal(err)
	}
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
		if r.IntN(2) == 0 { // the words that matter most are at the beginning
			at = from + r.IntN(min(offBacks+backSize, len(sound))-from)
		}
		if inLock(at) {
			continue // package robust has a test of its own for these
		}
		bit := r.IntN(8)
		flipped = append(flipped, 8*at+bit)
		mem[at] ^= 1 << bit
	}
	d := attach(t, seg)
	defer d.Detach()
	d.minRing, d.maxRing = damageRing, 4*damageRing
	w := &Watcher{d: d, at: slices.Clone(at), left: true}
	for i := range w.at { // what it has not read is what may be damaged
		w.at[i] -= min(w.at[i], damageRing/2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	check := func(what string, err error) {
		if err != nil && !errors.Is(err, mperr.ErrCorrupt) && !errors.Is(err, mperr.ErrTooLarge) {
			t.Fatalf("bits %d: %s: %v", flipped, what, err)
		}
	}
	other := model{d: d, rnd: r}
	for range 60 {
		k := other.key(r.IntN(900))
		switch r.IntN(9) {
		case 8:
			if _, err := w.round(ctx); !errors.Is(err, mperr.ErrOverrun) {
				check("Watch", err)
			}
			if v, err := d.Watch(ctx); !errors.Is(err, mperr.ErrLimit) {
				check("Watch anew", err)
				if err == nil {
					v.Leave()
				}
			}
		case 0:
			_, err = d.Len(ctx)
			check("Len", err)
		case 1:
			_, err = d.Page(ctx, uint64(r.IntN(1000)), 100)
			check("Page", err)
		case 2:
			_, err = d.All(ctx)
			check("All", err)
		case 3:
			_, _, err = d.PopItem(ctx)
			check("PopItem", err)
		case 4:
			_, _, err = d.Batch(ctx, []Change{{Key: *k, Value: cell.Of(other.value())}, {Key: *other.key(r.IntN(900)), Gone: true}})
			check("Batch", err)
		case 5:
			_, err = d.Delete(ctx, k, Always)
			check("Delete", err)
		case 6:
			_, err = d.Get(ctx, k, nil)
			check("Get", err)
		default:
			_, err = d.Set(ctx, k, cell.Of(other.value()), Always)
			check("Set", err)
		}
	}
	check("Clear", d.Clear(ctx))
}

// inLock reports whether an offset is in a lock.
func inLock(at int) bool {
	for _, lock := range [...]int{offBatcher, offWatching} {
		if at >= lock && at < lock+robust.LockSize {
			return true
		}
	}
	at -= offFronts
	return at >= 0 && at < frontSize<<MaxBits && at%frontSize < robust.LockSize
}

// An offset that is no multiple of 8 leads nowhere, also where all is mapped: to map it
// and try again would go on for ever.
func TestOddOffset(t *testing.T) {
	d, _ := newDict(t, Config{Bits: 0})
	k := d.intKey(1)
	if _, err := d.Set(ctx, k, cell.Of(item(1, 100)), Always); err != nil {
		t.Fatal(err)
	}
	c := d.callOf(&d.shards[0])
	chunk := c.h.Load(c.s.load(frontLog) + logFirst)
	*c.h.Word(chunk + chunkFirst + entryValue) += 4
	if _, err := d.Get(ctx, k, nil); !errors.Is(err, mperr.ErrCorrupt) {
		t.Errorf("Get: %v, want %v", err, mperr.ErrCorrupt)
	}
	if _, err := d.All(ctx); !errors.Is(err, mperr.ErrCorrupt) {
		t.Errorf("All: %v, want %v", err, mperr.ErrCorrupt)
	}
}
