//go:build linux

package main

import (
	"encoding/binary"

	"multiproc/bench/internal/payload"
)

// half is how many blocks one acknowledgement stands for.
const half = window / 2

// frames is a transport that carries blocks of known size in order.
type frames interface {
	Send(size int, fill func([]byte)) error      // lets fill write a block in place, then sends it
	Recv(size int, use func([]byte) error) error // lets use read the next block in place
}

// tripOver sends v and returns the answer.
func tripOver(f frames, v uint64) (uint64, error) {
	err := f.Send(8, func(b []byte) { binary.NativeEndian.PutUint64(b, v) })
	if err != nil {
		return 0, err
	}
	err = f.Recv(8, func(b []byte) error { v = binary.NativeEndian.Uint64(b); return nil })
	return v, err
}

// bulkOver sends n blocks, whole windows of them, and never has more than a window under way. Their numbers go on from
// first, because the other process counts on from one run to the next.
func bulkOver(f frames, first, n, size int) error {
	for i := range n {
		if err := f.Send(size, func(b []byte) { payload.Stamp(b, first+i) }); err != nil {
			return err
		}
		// The first acknowledgement may be taken late: half a window is always on its way.
		if (i+1)%half == 0 && i+1 > half {
			if err := acknowledged(f); err != nil {
				return err
			}
		}
	}
	return acknowledged(f)
}

func acknowledged(f frames) error {
	return f.Recv(1, func([]byte) error { return nil })
}

// serveOver is the second process: it answers trips, or checks and acknowledges blocks, until the other end closes.
func serveOver(f frames, size int) error {
	for i := 0; ; i++ {
		var v uint64
		err := f.Recv(size, func(b []byte) error {
			if size == 8 {
				v = binary.NativeEndian.Uint64(b)
				return nil
			}
			return payload.Check(b, i, size)
		})
		if err != nil {
			return err
		}
		switch {
		case size == 8:
			err = f.Send(8, func(b []byte) { binary.NativeEndian.PutUint64(b, v+1) })
		case (i+1)%half == 0:
			err = f.Send(1, func(b []byte) { b[0] = 1 })
		}
		if err != nil {
			return err
		}
	}
}
