package robust

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"multiproc/internal/futex"
	"multiproc/internal/mperr"
)

// MaxEvents is how many events one WaitAny can wait for; two words of the
// kernel's 128 are the death word and the cancel word.
const MaxEvents = futex.MaxWait - 2

// WaitAny sleeps until ready is true, looking again whenever one of the events
// is notified. Unlike Event.Wait it does not queue behind other goroutines of
// the process that wait for the same events. It takes the wake-up of one
// waiter, so who then takes nothing of what it was woken for must have called
// Notify: WaitAny does so itself when it returns.
func WaitAny(ctx context.Context, events []*Event, ready func() bool) error {
	admit()
	if !futex.Several() {
		return waitEach(ctx, events, ready)
	}
	s := newSleep()
	defer sleeps.Put(s)
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, s.wake)()
	}
	death := deathWord.Load()
	keys := make([]uint64, len(events))
	words := make([]futex.Word, 0, len(events)+2)
	for pause := firstRecheck; ; {
		words = append(words[:0], futex.Word{Addr: &s.cancel})
		if death != nil {
			words = append(words, futex.Word{Addr: death, Old: atomic.LoadUint32(death)})
		}
		for i, e := range events {
			keys[i] = e.enterFresh()
			words = append(words, e.word(keys[i]))
		}
		var err error
		done := ready()
		if !done {
			ranOut := false
			if err = s.cancelled(ctx); err == nil {
				ranOut, err = sleepOn(words, &pause)
			}
			if done = ready(); done && ranOut {
				rescued()
			}
		}
		for i, e := range events {
			e.leave(keys[i])
		}
		if done || err != nil {
			// The wake-up that brought us here may have been meant for a
			// waiter that takes what we only look at. While nothing is ready
			// there is nothing to pass on.
			for _, e := range events {
				e.Notify()
			}
			if done {
				err = nil
			}
			return err
		}
	}
}

// waitEach is WaitAny where no thread can sleep on several words: each event has
// a goroutine that waits for it.
func waitEach(ctx context.Context, events []*Event, ready func() bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan error, len(events))
	for _, e := range events {
		go func() { answers <- e.Wait(ctx, ready) }()
	}
	err := <-answers
	cancel()
	for range len(events) - 1 {
		if <-answers == nil {
			err = nil
		}
	}
	for _, e := range events {
		e.Notify()
	}
	return err
}

// cancelled returns the context's error if the sleep was cancelled by it.
func (s *sleep) cancelled(ctx context.Context) error {
	if atomic.SwapUint32(&s.cancel, 0) != 0 {
		return mperr.Ended(ctx)
	}
	return nil
}

// sleepOn is one sleep, with the growing pause of the re-check. It reports
// whether the pause ran out.
func sleepOn(words []futex.Word, pause *time.Duration) (ranOut bool, err error) {
	err = futex.Wait(*pause, words...)
	if err == nil {
		*pause = firstRecheck
		return false, nil
	}
	if errors.Is(err, futex.ErrTimeout) {
		*pause = min(2**pause, maxRecheck)
		return true, nil
	}
	return false, err
}
