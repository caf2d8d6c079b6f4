package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"multiproc/mp"
)

// outbox are commands on their way to a worker, in their order. To send one that
// has handles in it may take a while, which nobody should wait for with a lock.
type outbox struct {
	mu      sync.Mutex
	list    []command
	sending bool
}

func (o *outbox) put(h *hand, c command) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, c)
	if !o.sending {
		o.sending = true
		go o.send(h)
	}
}

func (o *outbox) send(h *hand) {
	for {
		o.mu.Lock()
		if len(o.list) == 0 {
			o.sending = false
			o.mu.Unlock()
			return
		}
		c := o.list[0]
		o.list = o.list[1:]
		o.mu.Unlock()
		err := h.control.Send(context.Background(), c)
		if err != nil && c.Kind == commandValue {
			// An argument that cannot be sent is an error of its item.
			err = h.control.Send(context.Background(), command{Kind: commandValue, ID: c.ID, Value: fmt.Errorf("send the argument: %w", err)})
		}
		if err == nil && c.Kind == commandValue {
			err = h.control.Send(context.Background(), command{Kind: commandSent, ID: c.ID})
		}
		if err != nil {
			_ = h.proc.Kill() // it would wait for this for ever, if it is not dead anyway
		}
	}
}

// values are results that come over control.
type values struct {
	sync.Mutex
	m    map[valueKey]chan any
	over chan struct{} // closed when no more come
}

type valueKey struct {
	id   uint64
	item uint32
}

// lostValue takes the place of a value that cannot come.
type lostValue struct{ err error }

// listen takes values as they come.
func (v *values) listen(from *mp.Conn[command, report]) {
	defer close(v.over)
	for {
		r, err := from.Recv(context.Background())
		if errors.Is(err, io.EOF) || errors.Is(err, mp.ErrClosed) {
			return
		}
		if err == nil {
			v.of(valueKey{r.ID, r.Item}) <- r.Value
			continue
		}
		v.Lock()
		for _, c := range v.m {
			select {
			case c <- lostValue{err}:
			default:
			}
		}
		v.Unlock()
		time.Sleep(lostDelay)
	}
}

// lostDelay is how long listen leaves a value alone whose handles cannot come,
// because this process may not open more descriptors.
const lostDelay = 20 * time.Millisecond

// of is where the value of an item comes, or has come.
func (v *values) of(key valueKey) chan any {
	v.Lock()
	defer v.Unlock()
	c := v.m[key]
	if c == nil {
		c = make(chan any, 1)
		v.m[key] = c
		return c
	}
	delete(v.m, key) // the other side has it
	return c
}

// wait waits for a value, or until nobody wants it any more.
func (v *values) wait(c chan any, given <-chan struct{}) (any, error) {
	var got any
	select {
	case got = <-c:
	case <-given:
		return nil, ErrGivenUp
	case <-v.over:
		select {
		case got = <-c:
		default:
			return nil, fmt.Errorf("the result's handles have not come: %w", io.ErrUnexpectedEOF)
		}
	}
	if lost, ok := got.(lostValue); ok {
		return nil, fmt.Errorf("the result's handles cannot come: %w", lost.err)
	}
	return got, nil
}
