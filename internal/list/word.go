package list

import (
	"sync/atomic"

	"multiproc/internal/arena"
	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/pin"
)

// AppendWord is Append of a word. It reports false, and has done nothing, if anything is
// not as it mostly is: Append knows. It has a third as much to do, and never waits.
//
// It needs no journal: nobody looks at what stands behind the last item. Who dies before
// the length is stored leaves a word there, which refers to nothing and is stored over.
func (l *List) AppendWord(w uint64) (ok bool) {
	pin.On()
	if !l.lock.HoldResident() {
		pin.Off()
		return false
	}
	ok = l.appendWord(w)
	if l.lock.FreeResident() {
		pin.Off()
	} else {
		l.lock.Free().Do()
	}
	return ok
}

// appendWord is AppendWord, with the lock. It leaves to Append what others have left to be
// mended or given back.
func (l *List) appendWord(w uint64) bool {
	body := l.load(offBody)
	if body == 0 || l.load(offJournal) != 0 || l.load(offDraft) != 0 || l.load(offDoomed) != 0 {
		return false
	}
	v := arena.View{Space: &l.space}
	b := (*[bodySize / 8]uint64)(v.At(body))
	length, last := atomic.LoadUint64(&b[bodyLength/8]), atomic.LoadUint64(&b[bodyLast/8])
	at := length - atomic.LoadUint64(&b[bodyBase/8])
	if has := v.BlockAt(last).Len; at >= leafMax || leafSize(int(at)+1) > has {
		return false
	}
	slot := v.OwnWord(last + leafWords + 8*at)
	if v.Lost() {
		return false
	}
	fence.StoreRelease64(slot, w)
	failpoint.Hit("list.placed")
	fence.StoreRelease64(&b[bodyLength/8], length+1) // the moment for readers
	failpoint.Hit("list.appended")
	return true
}
