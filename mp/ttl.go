package mp

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ttlOptions are the options of a dict about the time to live of its entries.
type ttlOptions struct {
	ttl   time.Duration
	timed bool // by WithTTL
}

// WithTTL gives the entries of a Dict a time to live: from each change of its value on an
// entry has that long, and then is as good as deleted. Get, Has, All, Copy, Len, PopItem and
// all others that begin later do not find it, a change by a version or a value that it had
// fails, and who sets the key anew makes another entry, the last in the order. Python clients
// of a manager see the same. SetFor gives one entry another time.
//
// Nobody has to call anything for it. In memory an entry that is over is taken out, and its
// memory given back, by those who change the dict: each looks at a few entries more; where
// nobody does, Len and PopItem take out all that are over. A manager takes them out by
// itself, within milliseconds, and Watch tells of a deletion; so does a Watch in memory,
// whose loop takes them out.
//
// The clock is that of the machine, or the manager's, which nobody sets, and which stands
// still while the machine sleeps. With math.MaxInt64 only entries of SetFor have an end.
// Where a dict of that name is already there in a place, it stays as it was made.
//
// Cost: in memory 16 bytes an entry and the reading of the clock, some 40 ns a call; what is
// over takes memory until others have looked at as much of the dict as it has entries. Dicts
// that are made without take none of this. Len looks through the dict if something is over.
func WithTTL(ttl time.Duration) Option {
	return func(o *objectOptions) { o.ttl, o.timed = ttl, true }
}

func (o *ttlOptions) check() error {
	if o.timed && o.ttl <= 0 {
		return fmt.Errorf("WithTTL(%v): it must be more than nothing", o.ttl)
	}
	return nil
}

// none refuses the option for objects that are no dicts.
func (o *ttlOptions) none() error {
	if o.timed {
		return errors.New("WithTTL: it is for dicts, and nothing else")
	}
	return nil
}

// SetFor is Set with a time to live of the entry's own: that from now, and not the one of
// WithTTL. The next change of its value, by whatever method, gives it that of WithTTL again.
// The error wraps ErrValue if ttl is not above 0, and errors.ErrUnsupported if the dict was
// made without WithTTL: its entries have no room for an end.
func (d *Dict[K, V]) SetFor(ctx context.Context, key K, v V, ttl time.Duration) error {
	o, k, b, err := d.with(ctx, key, v)
	if err != nil {
		return err
	}
	return o.SetFor(ctx, k, b, ttl)
}
