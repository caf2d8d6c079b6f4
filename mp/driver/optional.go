package driver

import (
	"context"
	"iter"
	"time"
)

// What follows is optional: an object implements such an interface if its place
// can do the thing in one step. Package mp looks for them once, when it opens an
// object. It builds these from the object's own interface where a place does not
// offer them: they cost two calls then, and more if others change the same
// entry meanwhile.
//
//	DictSwapper, DictAdder, DictDefaulter, DictPopper   Get and SetVersion, until it succeeds
//	DictFinder                                          Get
//	DictKeyPager                                        Page
//	ListSwapper, ListAdder                              Get and SetVersion
//	ListFinder                                          Slice
//	SetPopper                                           Page and Remove
//	ValueSwapper, ValueAdder                            Get and SetVersion
//	QueueBatcher                                        Put; Get and TryGet
//
// The others change several entries at one moment, or wait. A change of one entry
// at a time cannot stand for them, so a call of what a place does not offer
// returns an error that wraps errors.ErrUnsupported, at once.

// DictSwapper changes an entry that has a known value.
type DictSwapper interface {
	// CompareAndSwap sets the entry to v if its value equals old.
	CompareAndSwap(ctx context.Context, key, old, v []byte) (bool, error)
}

// DictAdder adds to an entry.
type DictAdder interface {
	// Add adds a number to the entry, which counts as 0 if there is none, and
	// returns the sum. Strings and lists are appended to.
	Add(ctx context.Context, key, delta []byte) ([]byte, error)
}

// DictDefaulter makes entries that may be there.
type DictDefaulter interface {
	// SetDefault returns the entry's value, which is v if there was none.
	SetDefault(ctx context.Context, key, v []byte) (now []byte, err error)
}

// DictPopper takes entries out.
type DictPopper interface {
	Pop(ctx context.Context, key []byte) ([]byte, error) // ErrNoKey
}

// DictFinder looks for keys without fetching their values.
type DictFinder interface {
	Has(ctx context.Context, key []byte) (bool, error)
}

// DictKeyPager pages without the values, which may be large.
type DictKeyPager interface {
	PageKeys(ctx context.Context, cursor uint64, limit int) (keys [][]byte, next uint64, err error)
}

// DictItemPopper takes out the last entry. It is not built: another may become
// the last one meanwhile.
type DictItemPopper interface {
	PopItem(ctx context.Context) (key, v []byte, err error) // ErrNoKey
}

// DictBatcher sets many entries at one moment. It is not built.
type DictBatcher interface {
	// SetAll sets keys[i] to vs[i].
	SetAll(ctx context.Context, keys, vs [][]byte) error
}

// DictClearer takes all entries out at one moment. It is not built.
type DictClearer interface {
	Clear(ctx context.Context) error
}

// DictWatcher tells of changes. It is not built.
type DictWatcher interface {
	// Watch yields every change from now on, in order: those that are made after
	// Watch has returned, whenever the loop over them begins. It ends with ctx,
	// whose error is the last pair, and gives up at once if the loop ends; it is
	// for one loop. A watcher that is too slow gets ErrOverrun as its last pair. Of
	// several values that one SetAll has for a key it may yield the last alone.
	Watch(ctx context.Context) iter.Seq2[Change, error]
}

// DictExpirer gives entries a time to live, in a dict that was made with Spec.TTL: every
// change of an entry's value begins a new one. When it is up the entry is as good as
// deleted: no call that begins later sees it, it has no version, and Len does not count
// it; watchers are told of a deletion when the place notices. It is not built.
type DictExpirer interface {
	// SetFor is Set with a time to live of the entry's own, up to the next change of
	// its value. ErrValue if ttl is not above 0; an error that wraps
	// errors.ErrUnsupported if the dict was made without Spec.TTL.
	SetFor(ctx context.Context, key, v []byte, ttl time.Duration) error
}

// ListSwapper is as DictSwapper.
type ListSwapper interface {
	CompareAndSwap(ctx context.Context, i int, old, v []byte) (bool, error) // ErrIndex
}

// ListAdder is as DictAdder.
type ListAdder interface {
	Add(ctx context.Context, i int, delta []byte) ([]byte, error) // ErrIndex
}

// ListFinder looks for elements without fetching them.
type ListFinder interface {
	// Index is where v first stands in [start, stop); ErrNoValue.
	Index(ctx context.Context, v []byte, start, stop int) (int, error)
	Count(ctx context.Context, v []byte) (int, error)
	Has(ctx context.Context, v []byte) (bool, error)
}

// ListEditor puts elements in and takes them out elsewhere than at the end, or
// many at one moment. It is not built: the indices of others change.
type ListEditor interface {
	Extend(ctx context.Context, vs [][]byte) error
	Insert(ctx context.Context, i int, v []byte) error // i beyond an end is that end
	Pop(ctx context.Context, i int) ([]byte, error)    // ErrIndex
	Delete(ctx context.Context, i int) error           // ErrIndex
	Remove(ctx context.Context, v []byte) error        // the first that equals v; ErrNoValue
	Clear(ctx context.Context) error
	SetSlice(ctx context.Context, start, stop, step *int, vs [][]byte) error // ErrValue
	DeleteSlice(ctx context.Context, start, stop, step *int) error
}

// ListArranger changes the list as a whole. It is not built.
type ListArranger interface {
	Reverse(ctx context.Context) error
	// Sort orders by Python's <, stably; ErrType if two elements have no order.
	Sort(ctx context.Context, reverse bool) error
	Repeat(ctx context.Context, n int) error // l *= n
}

// ListWatcher is as DictWatcher. It is not built.
type ListWatcher interface {
	Watch(ctx context.Context) iter.Seq2[ListChange, error]
}

// SetPopper takes some value out.
type SetPopper interface {
	Pop(ctx context.Context) ([]byte, error) // any; ErrEmpty
}

// SetBatcher changes many values at one moment. It is not built.
type SetBatcher interface {
	AddAll(ctx context.Context, vs [][]byte) (added int, err error)
	RemoveAll(ctx context.Context, vs [][]byte) (removed int, err error)
	// Retain keeps only what is in vs.
	Retain(ctx context.Context, vs [][]byte) (removed int, err error)
}

// SetClearer takes all values out at one moment. It is not built.
type SetClearer interface {
	Clear(ctx context.Context) error
}

// ValueSwapper is as DictSwapper.
type ValueSwapper interface {
	CompareAndSwap(ctx context.Context, old, v []byte) (bool, error)
}

// ValueAdder is as DictAdder.
type ValueAdder interface {
	Add(ctx context.Context, delta []byte) ([]byte, error)
}

// QueueBatcher moves many items in one step.
type QueueBatcher interface {
	// PutBatch puts all values, waiting as Put does; n is how many were put.
	PutBatch(ctx context.Context, vs [][]byte) (n int, err error)
	// GetBatch takes 1 to limit items; ErrValue if limit is less than 1.
	GetBatch(ctx context.Context, limit int) ([][]byte, error)
}

// QueueAwaiter waits without taking anything, for Select. It is not built.
type QueueAwaiter interface {
	// Await returns when Get would not wait.
	Await(ctx context.Context) error
}

// QueueTracker counts items that are being worked on. It is not built.
type QueueTracker interface {
	TaskDone(ctx context.Context) error
	Join(ctx context.Context) error
}

// QueueCloser says that nothing more is put. It is not built.
type QueueCloser interface {
	CloseWrite(ctx context.Context) error
}

// Delivery is an item that was lent.
type Delivery struct {
	Value   []byte
	Lease   uint64 // names the lease, among those of the queue and the session
	Attempt int    // how often the item has been lent, this time included
}

// QueueLeaser lends items instead of giving them away. An item that is lent stays
// the queue's: it is lent again, before those that were put later, if the lease
// runs out, or the session ends, before Ack. What an Attempt too many becomes says
// Spec.DeadLetter. It is not built.
//
// While items are lent or delayed a queue that is closed for writing has not come to
// its end: Get, Receive and Await wait for what becomes of them.
type QueueLeaser interface {
	// Receive lends 1 to limit items, waiting as Get does; ErrValue if limit is less
	// than 1.
	Receive(ctx context.Context, limit int) ([]Delivery, error)
	TryReceive(ctx context.Context, limit int) ([]Delivery, error) // ErrEmpty, io.EOF
	// Ack says that items have been dealt with, for Join, too, and takes them out of
	// the queue. lost are the leases of which that cannot be said any more; then the
	// error is ErrLeaseLost, and the others were acknowledged.
	Ack(ctx context.Context, leases []uint64) (lost []uint64, err error)
	// Nack gives an item back, which is lent again after the delay. ErrLeaseLost.
	Nack(ctx context.Context, lease uint64, delay time.Duration) error
	// Extend has the lease end d from now, or after the queue's own time if d is 0.
	// ErrLeaseLost.
	Extend(ctx context.Context, lease uint64, d time.Duration) error
	// Leased counts the items that are lent, or wait for the end of a delay. Len does
	// not count them.
	Leased(ctx context.Context) (int, error)
}

// MutexOwner says who holds a Mutex, a Cond's lock or an RWMutex. It is not
// built.
type MutexOwner interface {
	Owner(ctx context.Context) (pid int, err error) // 0: nobody, or on another machine
}
