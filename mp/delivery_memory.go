package mp

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errNoLeases: queues in memory only give items away.
var errNoLeases = fmt.Errorf("queue: items of a queue in memory cannot be lent; make it in a manager, with mp.In: %w", errors.ErrUnsupported)

func (m *memoryQueue[T]) refuse(context.Context) error {
	if m.Seg == nil {
		return m.ErrClosed()
	}
	return errNoLeases
}

func (m *memoryQueue[T]) receive(ctx context.Context, _ *Queue[T], _ int) ([]*Delivery[T], error) {
	return nil, m.refuse(ctx)
}

func (m *memoryQueue[T]) tryReceive(ctx context.Context, _ *Queue[T], _ int) ([]*Delivery[T], error) {
	return nil, m.refuse(ctx)
}

func (m *memoryQueue[T]) ack(ctx context.Context, _ []*Delivery[T]) ([]*Delivery[T], error) {
	return nil, m.refuse(ctx)
}

func (m *memoryQueue[T]) nack(ctx context.Context, _ *Delivery[T], _ time.Duration) error {
	return m.refuse(ctx)
}

func (m *memoryQueue[T]) extend(ctx context.Context, _ *Delivery[T], _ time.Duration) error {
	return m.refuse(ctx)
}

func (m *memoryQueue[T]) leased(ctx context.Context) (int, error) { return 0, m.refuse(ctx) }
