package endpoint

import (
	"fmt"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
)

// Ledger is what one side of a session sends: it numbers the frames, and keeps
// them until the other side has acknowledged them. Frames gather in Buf; a writer
// takes all of Buf as one chunk. A mutex of its owner's guards it.
type Ledger struct {
	Number uint64   // of the last frame
	Acked  uint64   // of the last frame that has come
	Buf    []byte   // frames that nobody has begun to write
	Bytes  int      // that were taken and are kept
	kept   []chunk  // what was taken out of Buf, in order
	spare  [][]byte // memory for the next Bufs
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

// Add numbers the frame that was begun in b, which is Buf with that frame from
// start on, and makes b the new Buf.
func (l *Ledger) Add(b []byte, start int, got uint64) {
	l.Number++
	frames.End(b, start, l.Number, got)
	l.Buf = b
}

// Nod adds a frame that only acknowledges what has come.
func (l *Ledger) Nod(got uint64) { l.Buf = frames.AppendNod(l.Buf, l.Number, got) }

// Take makes what has gathered a chunk, for the caller to write.
func (l *Ledger) Take() (b []byte, last uint64) {
	b = l.Buf
	l.kept = append(l.kept, chunk{b: b, last: l.Number})
	l.Bytes += len(b)
	l.Buf = nil
	if n := len(l.spare); n > 0 {
		l.Buf, l.spare = l.spare[n-1], l.spare[:n-1]
	}
	return b, l.Number
}

// Wrote says that a chunk was written over the present connection: nobody else
// reads it. It may have come already.
func (l *Ledger) Wrote(b []byte, last uint64) {
	for i := len(l.kept) - 1; i >= 0; i-- {
		if l.kept[i].last == last {
			l.kept[i].written = true
			return
		}
	}
	l.reuse(b)
}

func (l *Ledger) reuse(b []byte) {
	if len(l.spare) < maxSpare && cap(b) <= keepSpare {
		l.spare = append(l.spare, b[:0])
	}
}

// Came says that the other side has all frames up to a number. It reports
// whether that is news. An error says that there are no such frames.
func (l *Ledger) Came(number uint64) (news bool, err error) {
	if number <= l.Acked {
		return false, nil
	}
	if number > l.Number {
		return false, fmt.Errorf("frame %d is said to have come, and the last one was %d: %w", number, l.Number, mperr.ErrCorrupt)
	}
	l.Acked = number
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

func (l *Ledger) drop(c *chunk) {
	l.Bytes -= len(c.b)
	if c.written {
		l.reuse(c.b)
	}
}

// Forget forgets the oldest of what is kept until no more than so many bytes are
// left, or only the last chunk. It returns the number of the last frame that
// cannot be sent again any more, 0 if nothing was forgotten.
func (l *Ledger) Forget(most int) (lost uint64) {
	for len(l.kept) > 1 && l.Bytes > most {
		lost = l.kept[0].last
		l.Bytes -= len(l.kept[0].b)
		l.kept[0] = chunk{}
		l.kept = l.kept[1:]
	}
	return lost
}

// Reset drops all frames. The next one has the next number.
func (l *Ledger) Reset() { *l = Ledger{Number: l.Number, Acked: l.Acked} }

// Taken is the number of the last frame that was taken and is still kept.
func (l *Ledger) Taken() uint64 { return l.kept[len(l.kept)-1].last }

// Again is what has to be sent again on a new connection: what is kept and has
// not come.
func (l *Ledger) Again() (all [][]byte) {
	for i := range l.kept {
		b := l.kept[i].b
		l.kept[i].written = false // it may be read for longer than it is kept
		for len(b) > 0 {
			h, err := frames.ParseHead(b)
			if err != nil || frames.Extend(l.Acked, h.Number) > l.Acked {
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

// Whole is the number of the last frame that is all within the first n bytes of
// a chunk, 0 if none is.
func (l *Ledger) Whole(b []byte, n int) (last uint64) {
	for len(b) >= frames.HeaderSize {
		h, err := frames.ParseHead(b)
		if err != nil {
			return last
		}
		size := frames.HeaderSize + h.Size
		if n -= size; n < 0 {
			return last
		}
		last, b = frames.Extend(l.Number, h.Number), b[size:]
	}
	return last
}

// Inbox counts the frames that come from the other side.
type Inbox struct {
	Got uint64 // the number of the last one
}

// Admit reports whether a frame is the next one. One that has come before is
// none; a gap is an error.
func (i *Inbox) Admit(number uint32) (fresh bool, err error) {
	n := frames.Extend(i.Got, number)
	switch {
	case n <= i.Got:
		return false, nil
	case n > i.Got+1:
		return false, fmt.Errorf("frame %d comes after frame %d: %w", n, i.Got, mperr.ErrCorrupt)
	}
	i.Got = n
	return true, nil
}
