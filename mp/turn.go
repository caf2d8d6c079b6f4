package mp

import (
	"context"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"multiproc/internal/failpoint"
	"multiproc/internal/local"
	"multiproc/internal/mperr"
)

// turn is how an Update that is overtaken again and again comes to its end: it
// leaves its name in a word of the value, and others hold back for a while
// before they change the value. Nobody has to: what they change meanwhile is
// seen by the Update, as ever. So whoever has the turn may die, stop or take too
// long, and the others go on when their wait is over. It is longer each time
// that the same Update asks, for a function may take long.
//
//	bits  0..7   level: wait is firstTurn << level
//	bits  8..15  its complement: other words are damaged
//	bits 16..31  random
//	bits 32..63  process id
type turn struct {
	word  *uint64
	owner *local.Small // of the handle, to hear of Close
	cell  *local.Cell

	mine  uint64 // what the word is while we have the turn
	level int
	races int       // lost
	since time.Time // the first was lost
}

const (
	firstTurn = 10 * time.Millisecond
	maxLevel  = 10 // 10 s

	// An Update asks for the turn when it has lost so many races, or a few for so
	// long: somebody loses a few all the time.
	manyRaces = 64
	fewRaces  = 4
	racing    = time.Millisecond
)

// await lets whoever has the turn go first.
func (t *turn) await(ctx context.Context) error {
	if w := atomic.LoadUint64(t.word); w == 0 || w == t.mine {
		return nil
	}
	return t.holdBack(ctx)
}

func (t *turn) holdBack(ctx context.Context) error {
	w := atomic.LoadUint64(t.word)
	level, check := byte(w), byte(w>>8)
	wait := firstTurn << min(level, maxLevel)
	if level != ^check {
		wait = 0
	}
	end := time.Now().Add(wait)
	for pause := 50 * time.Microsecond; time.Now().Before(end); pause = min(2*pause, time.Millisecond) {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return mperr.Ended(ctx)
		case <-timer.C:
		}
		if t.owner.P.Load() != t.cell {
			return t.owner.ErrGone()
		}
		if atomic.LoadUint64(t.word) != w {
			return nil
		}
	}
	atomic.CompareAndSwapUint64(t.word, w, 0)
	failpoint.Hit("turn.ended")
	return nil
}

// lost is called after a lost race.
func (t *turn) lost(ctx context.Context) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	if t.owner.P.Load() != t.cell {
		return t.owner.ErrGone()
	}
	if t.races++; t.races == 1 {
		t.since = time.Now()
	}
	if t.races < fewRaces || (t.races < manyRaces && time.Since(t.since) < racing) {
		return nil
	}
	if t.mine != 0 && atomic.LoadUint64(t.word) == t.mine {
		return nil // by those who were under way when we took it
	}
	low := uint64(min(t.level, maxLevel))
	t.mine = uint64(uint32(os.Getpid()))<<32 | uint64(rand.Uint32()&0xffff)<<16 | (^low&0xff)<<8 | low
	if atomic.CompareAndSwapUint64(t.word, 0, t.mine) {
		failpoint.Hit("turn.taken")
		t.level++
	} else {
		t.mine = 0
	}
	return nil
}

func (t *turn) end() {
	atomic.CompareAndSwapUint64(t.word, t.mine, 0)
	failpoint.Hit("turn.ended")
	t.mine = 0
}

// endUnless is for a function of the user that may not return.
func (t *turn) endUnless(returned *bool) {
	if !*returned {
		t.end()
	}
}
