package mp

import (
	"context"
	"fmt"

	"multiproc/internal/failpoint"
	"multiproc/internal/fdbroker"
	"multiproc/internal/ring"
)

// A record whose handles wait with the root begins with the name of their
// parcel, as a CBOR item of a kind that no value begins with: tag 8, and a
// string of 16 bytes. So whoever takes a record knows what belongs to it before
// it is decoded, and also when it cannot be.
const (
	parcelTag  = 0xc8
	parcelSize = 2 + len(fdbroker.ID{})
)

var noParcel = [parcelSize]byte{0: parcelTag, 1: 0x40 | byte(len(fdbroker.ID{}))}

// hasParcel reports whether handles of a record wait with the root.
func hasParcel(rec []byte) bool {
	return len(rec) >= parcelSize && rec[0] == parcelTag && rec[1] == noParcel[1]
}

// putHandles puts a value that may mention handles.
func (e *elem[T]) putHandles(ctx context.Context, f *family, v *T, put func([]byte) error) error {
	p := buffers.Get().(*[]byte)
	b := *p
	defer func() { giveBack(p, b) }()
	out := export{f: f, ctx: ctx, to: e.to}
	var err error
	if b, err = e.encode(b[:0], v, &out); err == nil {
		err = put(out.record(b))
	}
	if err != nil {
		out.rollback()
		return err
	}
	failpoint.Hit("parcel.put")
	out.commit("")
	failpoint.Hit("parcel.committed")
	return nil
}

// encode appends the record of a value, behind room for a parcel's name, and
// offers the parcel if there is one. After an error the session is to be rolled
// back.
func (e *elem[T]) encode(b []byte, v *T, out *export) ([]byte, error) {
	front := len(b)
	b, err := e.c.Append(append(b, noParcel[:]...), v, out)
	if err == nil {
		err = out.offer()
	}
	if err == nil && len(out.entries) > 0 {
		copy(b[front+2:], out.id[:])
		failpoint.Hit("parcel.offered")
	}
	return b, err
}

// record is what encode appended, without the room for a name if there is none.
func (e *export) record(b []byte) []byte {
	if len(e.entries) == 0 {
		return b[parcelSize:]
	}
	return b
}

// getHandles takes a value that may mention handles. next copies the first
// record out, and takes it unless it has a parcel. One that has is taken when
// its handles are here, so that it stays where it is if they cannot come.
func (e *elem[T]) getHandles(ctx context.Context, f *family, r *ring.Ring, v *T, next func([]byte) ([]byte, ring.Mark, bool, error)) error {
	p := buffers.Get().(*[]byte)
	b := (*p)[:0]
	defer func() { giveBack(p, b) }()
	for {
		var mark ring.Mark
		var left bool
		var err error
		if b, mark, left, err = next(b[:0]); err != nil {
			return err
		}
		if !left {
			return e.decode(b, v, &arrival{f: f})
		}
		in, err := f.fetch(ctx, fdbroker.ID(b[2:parcelSize]))
		if err != nil && !revoked(err) {
			r.Leave(mark)
			return fmt.Errorf("an item stays where it is, for its handles cannot come: %w", err)
		}
		failpoint.Hit("parcel.fetched")
		taken, terr := r.TakeMarked(ctx, mark)
		switch {
		case err != nil: // revoked: as if it had never been put
			if taken {
				_ = r.Done(1)
			}
		case !taken:
			in.giveBack()
		default:
			failpoint.Hit("parcel.taken")
			err = e.decode(b[parcelSize:], v, in)
			in.close()
			failpoint.Hit("parcel.settled")
			return err
		}
		if terr != nil {
			return terr
		}
	}
}
