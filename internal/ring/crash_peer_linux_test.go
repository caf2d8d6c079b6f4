//go:build mpcrash

package ring

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"multiproc/internal/futex"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
)

func (s *scratch) load(i int) uint64 { return atomic.LoadUint64(&s[i]) }

// died is what the family does after an unclean death.
func (s *scratch) died() {
	atomic.AddUint32(s.deathWord(), 1)
	futex.Wake(s.deathWord(), 1<<30)
}

func newScratch(t testing.TB, r *Ring) *scratch {
	t.Helper()
	s, err := scratchOf(r.seg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// useDeathWord makes this process a member of the family that s stands for.
func useDeathWord(t testing.TB, s *scratch) {
	robust.SetDeathWord(s.deathWord())
	t.Cleanup(func() { robust.SetDeathWord(new(uint32)) })
}

// peer is the survivor: it puts for a victim that gets, and gets from one
// that puts.
type peer struct {
	t    *testing.T
	r    *Ring
	rnd  *rand.Rand
	sent int
	got  [4][]int // by putter: 0 this one, 1 the victim, 3 the last
}

const enough = 600 // operations after which a victim that lives never comes past its point

func (p *peer) play(ctx context.Context, role string) {
	for i := 0; i < enough && ctx.Err() == nil; i++ {
		if role == "victim put" {
			p.getWaiting(ctx, i)
			continue
		}
		for range 1 + p.rnd.IntN(1<<p.rnd.IntN(6)) {
			rec := item(0, p.sent, size(p.rnd))
			if err := p.r.Put(ctx, addr(rec), len(rec)); err != nil {
				break
			}
			p.sent++
		}
		if p.sent >= logSize-64 {
			for p.r.Len() > 0 && ctx.Err() == nil {
				runtime.Gosched()
			}
			return
		}
		for n := 0; n < i%3 && p.get(ctx); n++ {
		}
	}
}

// getWaiting gets, and now and then lets the ring fill first.
func (p *peer) getWaiting(ctx context.Context, i int) {
	if i%20 == 19 {
		for end := time.Now().Add(5 * time.Millisecond); time.Now().Before(end) && ctx.Err() == nil; {
		}
		for p.get(ctx) {
		}
	}
	if b, err := p.r.GetFresh(ctx); err == nil {
		p.note(b)
	}
}

func (p *peer) get(context.Context) bool {
	b, err := p.r.TryGetFresh()
	if err == nil {
		p.note(b)
		return true
	}
	if err != mperr.ErrEmpty {
		p.t.Errorf("the survivor's get: %v", err)
	}
	return false
}

func (p *peer) note(b []byte) {
	putter, i, whole := identify(b)
	if !whole || putter > 3 {
		p.t.Errorf("torn record of %d bytes", len(b))
		return
	}
	p.got[putter] = append(p.got[putter], i)
}

func (p *peer) judge(s *scratch, role string) {
	t := p.t
	if role == "victim put" {
		acked, tried := int(s.load(slotPut)), int(s.load(slotTried))
		for i, v := range p.got[1] {
			if v != i {
				t.Fatalf("the victim's record %d came as number %d", v, i)
			}
		}
		if n := len(p.got[1]); n < acked || n > tried {
			t.Errorf("%d records of the victim, it had %d confirmed and %d begun", n, acked, tried)
		}
		return
	}
	all := slices.Clone(p.got[0])
	for i := range s.load(slotGot) {
		all = append(all, int(s.load(slotLog+int(i)))-1)
	}
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Error("a record came twice")
	}
	// What the last Get took is gone with the victim: at most four in a row,
	// and some that it had and not yet logged.
	if lost := p.sent - len(all); lost < 0 || lost > 4 {
		t.Errorf("%d of %d records lost", lost, p.sent)
	}
}
