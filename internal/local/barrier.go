package local

import (
	"context"
	"fmt"
	"math"

	"multiproc/internal/ledger"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// barrier implements driver.Barrier. The first number in the header of its segment is
// how many parties it has.
type barrier struct {
	object
	b       *ledger.Barrier // apart: a resident lock is kept, the handle must not be
	parties int
}

var _ driver.Barrier = (*barrier)(nil)

func newBarrier(p *Place, seg *shm.Segment) (*barrier, error) {
	if err := wants(seg, ledger.BarrierSize); err != nil {
		return nil, err
	}
	b := &barrier{object: object{place: p}, b: &ledger.Barrier{}}
	parties := seg.Params[0]
	if parties == 0 || parties > math.MaxInt32 {
		_ = seg.Close()
		return nil, fmt.Errorf("a barrier of %d parties: %w", parties, mperr.ErrValue)
	}
	b.parties = int(parties)
	if err := b.Adopt(seg, seg.Size, b.b.Abort, nil); err != nil {
		return nil, err
	}
	m := p.Members()
	m.Owe()
	b.b.Attach(b.Body(), b.parties, m)
	b.Rest.Detach = b.b.Detach
	return b, nil
}

func (b *barrier) Wait(ctx context.Context) (index int, err error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.Exit()
	index, err = b.b.Wait(ctx)
	return index, b.named(err)
}

func (b *barrier) Abort(ctx context.Context) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.Exit()
	return b.named(b.b.Break(ctx))
}

func (b *barrier) Reset(ctx context.Context) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.Exit()
	return b.named(b.b.Reset(ctx))
}

func (b *barrier) Parties(ctx context.Context) (int, error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.Exit()
	return b.parties, nil
}

func (b *barrier) Waiting(ctx context.Context) (int, error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.Exit()
	n, err := b.b.Waiting(ctx)
	return n, b.named(err)
}

func (b *barrier) Broken(ctx context.Context) (bool, error) {
	if err := b.enter(ctx); err != nil {
		return false, err
	}
	defer b.Exit()
	is, err := b.b.Broken(ctx)
	return is, b.named(err)
}
