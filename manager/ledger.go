package manager

import (
	"fmt"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
)

// ledger is what one side of a session sends: it numbers the frames, and keeps
// them until the other side has said that they came. Frames gather in buf; who
// writes takes all of buf as one chunk. A mutex of its owner's guards it.
type ledger struct {
	number uint64   // of the last frame
	acked  uint64   // of the last frame that has come
	buf    []byte   // frames that nobody has begun to write
	kept   []chunk  // what was taken out of buf, from first to last
	bytes  int      // in kept
	spare  [][]byte // memory for the next bufs
}

// chunk is a run of frames.
type chunk struct {
	b       []byte
	last    uint64 // the number of its last frame
	written bool   // nobody reads b any more, unless to send it again
}

const (
	// keepSpare is how large a buffer a ledger keeps for the next frames, and
	// maxSpare how many: one gathers, one is written, and others are on their way.
	keepSpare = 64 << 10
	maxSpare  = 4
)

// add numbers the frame that was begun in b, which is buf with that frame from
// start on, and makes b the new buf.
func (l *ledger) add(b []byte, start int, got uint64) {
	l.number++
	frames.End(b, start, l.number, got)
	l.buf = b
}

// nod adds a frame that only says what has come.
func (l *ledger) nod(got uint64) { l.buf = frames.AppendNod(l.buf, l.number, got) }

// take makes what has gathered a chunk, for the caller to write.
func (l *ledger) take() (b []byte, last uint64) {
	b = l.buf
	l.kept = append(l.kept, chunk{b: b, last: l.number})
	l.bytes += len(b)
	l.buf = nil
	if n := len(l.spare); n > 0 {
		l.buf, l.spare = l.spare[n-1], l.spare[:n-1]
	}
	return b, l.number
}

// wrote says that a chunk was written, over the connection that there is: nobody
// else reads it. It may have come already.
func (l *ledger) wrote(b []byte, last uint64) {
	for i := len(l.kept) - 1; i >= 0; i-- {
		if l.kept[i].last == last {
			l.kept[i].written = true
			return
		}
	}
	l.reuse(b)
}

func (l *ledger) reuse(b []byte) {
	if len(l.spare) < maxSpare && cap(b) <= keepSpare {
		l.spare = append(l.spare, b[:0])
	}
}

// came says that the other side has all frames up to a number. It reports
// whether that is news. An error says that there are no such frames.
func (l *ledger) came(number uint64) (news bool, err error) {
	if number <= l.acked {
		return false, nil
	}
	if number > l.number {
		return false, fmt.Errorf("frame %d is said to have come, and the last one was %d: %w", number, l.number, mperr.ErrCorrupt)
	}
	l.acked = number
	n := 0
	for n < len(l.kept) && l.kept[n].last <= number {
		l.drop(&l.kept[n])
		n++
	}
	rest := copy(l.kept, l.kept[n:])
	clear(l.kept[rest:])
	l.kept = l.kept[:rest]
	return true, nil
}

func (l *ledger) drop(c *chunk) {
	l.bytes -= len(c.b)
	if c.written {
		l.reuse(c.b)
	}
}

// again is what has to be sent again on a new connection: what is kept and has
// not come.
func (l *ledger) again() (all [][]byte) {
	for i := range l.kept {
		b := l.kept[i].b
		l.kept[i].written = false // it may be read for longer than it is kept
		for len(b) > 0 {
			h, err := frames.ParseHead(b)
			if err != nil || frames.Extend(l.acked, h.Number) > l.acked {
				break
			}
			b = b[frames.HeaderSize+h.Size:]
		}
		if len(b) > 0 {
			all = append(all, b)
		}
	}
	return all
}

// whole is the number of the last frame that is all within the first n bytes of
// a chunk, 0 if none is.
func (l *ledger) whole(b []byte, n int) (last uint64) {
	for len(b) >= frames.HeaderSize {
		h, err := frames.ParseHead(b)
		if err != nil {
			return last
		}
		size := frames.HeaderSize + h.Size
		if n -= size; n < 0 {
			return last
		}
		last, b = frames.Extend(l.number, h.Number), b[size:]
	}
	return last
}

// inbox counts the frames that come from the other side.
type inbox struct {
	got uint64 // the number of the last one
}

// admit reports whether a frame is the next one. One that has come before is
// none; a gap is an error.
func (i *inbox) admit(number uint32) (fresh bool, err error) {
	n := frames.Extend(i.got, number)
	switch {
	case n <= i.got:
		return false, nil
	case n > i.got+1:
		return false, fmt.Errorf("frame %d comes after frame %d: %w", n, i.got, mperr.ErrCorrupt)
	}
	i.got = n
	return true, nil
}
