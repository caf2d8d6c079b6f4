package mp

import (
	"context"
	"fmt"
	"unsafe"

	"multiproc/internal/fdbroker"
	"multiproc/internal/ring"
	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// endUnderWay is an end of a pipe in a message that waits with the root: what
// the root needs to count its holders, and nothing else of a Conn.
type endUnderWay struct {
	seg *shm.Segment
	mem unsafe.Pointer
	own table.Holders
}

// openEnd gives the root access to the holders of ends under way.
func openEnd(t *table.Table) fdbroker.OpenEnd {
	return func(fd int, e fdbroker.Entry) (fdbroker.Holder, error) {
		if e.Side > sideB1 {
			return nil, fmt.Errorf("pipe %s: side %d: %w", shm.ID(e.ID), e.Side, ErrCorrupt)
		}
		seg, mem, err := shm.Borrow(fd, shm.KindPipe, t.Family(), pipeData)
		if err != nil {
			return nil, err
		}
		h := &endUnderWay{seg: seg, mem: unsafe.Add(mem, shm.HeaderSize)}
		h.own.Init(t, unsafe.Add(h.mem, pipeHolders0+int(e.Side&sideEndMask)*table.HoldersSize))
		return h, nil
	}
}

// Hold implements fdbroker.Holder. If nobody is left, the other end is told.
func (h *endUnderWay) Hold(ctx context.Context, who table.Ref, delta int) error {
	if err := h.own.Add(ctx, who, delta); err != nil || delta > 0 {
		return err
	}
	if !h.own.Any() {
		ring.WakeAllIn(unsafe.Add(h.mem, pipeRing0))
		ring.WakeAllIn(unsafe.Add(h.mem, pipeRing1))
	}
	return nil
}

// Close implements fdbroker.Holder.
func (h *endUnderWay) Close() { _ = h.seg.Close() }
