package pyvalue

import "multiproc/internal/mperr"

// Work is what comparisons may cost, in units of some ten nanoseconds, about
// one for each value that is looked at. One Work may serve many comparisons. A
// nil *Work is that of one comparison.
type Work struct {
	left  int
	every int // units to the next look at check
	check func() error
}

const (
	// MaxWork is what one comparison may cost: some seconds.
	MaxWork = 1 << 26
	// checkEvery is after how many units a Work asks whether to go on: some
	// tenths of a millisecond.
	checkEvery = 1 << 14
)

// NewWork returns a Work of so many units. check is called now and then, and
// ends what is under way if it returns an error; it may be nil.
func NewWork(units int, check func() error) *Work {
	return &Work{left: units, every: checkEvery, check: check}
}

// Spend takes units away. The error is that of check, or says that there are no
// more.
func (w *Work) Spend(units int) error {
	if w.left -= units; w.left < 0 {
		return errWork()
	}
	if w.every -= units; w.every < 0 && w.check != nil {
		w.every = checkEvery
		return w.check()
	}
	return nil
}

// errWork is a comparison that takes too long.
func errWork() *Exception {
	return builtin("RuntimeError", mperr.ErrTooLarge, "the values take too much work to be compared")
}

// orDefault returns w, or the work of one comparison.
func (w *Work) orDefault() *Work {
	if w == nil {
		return NewWork(MaxWork, nil)
	}
	return w
}
