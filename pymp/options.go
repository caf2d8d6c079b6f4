package pymp

import (
	"fmt"
	"maps"
	"time"
)

// Option changes what Dial, Connect or Listen does.
type Option func(*options) error

type options struct {
	maxFrame  int
	maxIdle   int
	handshake time.Duration
	aliases   []address
	keys      map[address][]byte
}

func collect(opts []Option) (options, error) {
	o := options{maxFrame: 1 << 30, maxIdle: 8, handshake: 10 * time.Second, keys: map[address][]byte{}}
	for _, f := range opts {
		if err := f(&o); err != nil {
			return o, err
		}
	}
	return o, nil
}

// MaxFrame bounds the bytes of a message that comes in; a longer one is an
// error that wraps mp.ErrTooLarge, and ends its connection: a Python program
// that is sending it fails with BrokenPipeError or ConnectionResetError, and
// later calls on a Conn return the same error. A Manager goes on with other
// connections. Without it the bound is 1 GiB. Memory is taken only as bytes
// arrive, whatever a peer announces.
func MaxFrame(bytes int) Option {
	return func(o *options) error {
		if bytes < 1 {
			return fmt.Errorf("MaxFrame(%d): want at least 1", bytes)
		}
		o.maxFrame = bytes
		return nil
	}
}

// MaxIdle bounds the channels that a Manager keeps when nobody uses them; the
// server has a thread for each. Without it there are 8 at most. How many are in
// use at once is not bounded: it is the number of calls under way.
func MaxIdle(channels int) Option {
	return func(o *options) error {
		if channels < 0 {
			return fmt.Errorf("MaxIdle(%d): want 0 or more", channels)
		}
		o.maxIdle = channels
		return nil
	}
}

// HandshakeTimeout bounds how long a connection and its handshake may take, in
// addition to the context. Without it that is 10 seconds.
func HandshakeTimeout(d time.Duration) Option {
	return func(o *options) error {
		if d <= 0 {
			return fmt.Errorf("HandshakeTimeout(%v): want more than 0", d)
		}
		o.handshake = d
		return nil
	}
}

// KnownAs says by what other address the server knows itself: the one that was
// given to its BaseManager, if it is reached by another one, through a tunnel
// for example. Proxies that are sent to it or come from it name that address.
// Ordinarily it is found out.
func KnownAs(addr string) Option {
	return func(o *options) error {
		a, err := parseAddress(addr)
		if err != nil {
			return fmt.Errorf("KnownAs: %w", err)
		}
		o.aliases = append(o.aliases, a)
		return nil
	}
}

// WithKey gives the authkey of another manager, for the case that a proxy of an
// object there arrives. Managers that this process has dialled need none.
func WithKey(addr string, authkey []byte) Option {
	return func(o *options) error {
		a, err := parseAddress(addr)
		if err != nil {
			return fmt.Errorf("WithKey: %w", err)
		}
		o.keys = maps.Clone(o.keys)
		o.keys[a] = append([]byte(nil), authkey...)
		return nil
	}
}
