package complete

import (
	"context"
	"math/rand/v2"
	"time"

	"multiproc/internal/mperr"
)

// Retry calls try until it is done: each time that it is not somebody else has
// changed what it wanted to change.
func Retry(ctx context.Context, try func() (done bool, err error)) error {
	var pause backoff
	for {
		start := time.Now()
		done, err := try()
		if done || err != nil {
			return err
		}
		if err := pause.wait(ctx, time.Since(start)); err != nil {
			return err
		}
	}
}

// backoff spreads those out who change one value at a time. Each collision is
// somebody's success, so there is always progress; the pauses see to it that
// it is everybody's. They double, so that a crowd thins out, up to maxCrowd
// tries' length; and after that they shrink again, so that whoever has lost
// often goes before those who have just come.
type backoff struct{ lost int }

const (
	maxCrowd = 5 // powers of two
	maxPause = time.Second
)

// wait pauses after a try that took so long.
func (b *backoff) wait(ctx context.Context, took time.Duration) error {
	b.lost++
	most := min(took<<max(0, min(b.lost-1, 2*maxCrowd-b.lost)), maxPause)
	if b.lost == 1 || most <= 0 {
		return mperr.Ended(ctx)
	}
	timer := time.NewTimer(rand.N(most))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return mperr.Ended(ctx)
	}
}
