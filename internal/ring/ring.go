package ring

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

// Ring is this process's handle to a ring. Its methods may be called by any
// number of goroutines.
type Ring struct {
	c    *control
	cfg  Config
	seg  *shm.Segment
	gens []generation

	put, get robust.Lock
	notEmpty robust.Event
	notFull  robust.Event
	allDone  robust.Event

	maxUnits uint32 // the byte bound in units
	maxItems uint32 // how many records fit at most
	stride   uint32 // units of a record, if fixed
	getSpin  spinner
	putSpin  spinner

	puts run // under the put lock
	gets run // under the get lock

	mapMu sync.Mutex // held while a generation is mapped

	gone func() bool // see SetPeer; nil: there is always a peer
	l    *leases     // nil: nothing can be lent
}

// generation is this process's view of one area.
type generation struct {
	base atomic.Pointer[byte] // nil until mapped; mirrored
	off  int64                // in the segment
	size int64                // bytes, a power of two
	mask uint32               // size in units - 1
}

// New attaches to the ring whose control block is at mem and whose
// generations begin at dataOff (a page boundary) of the segment. All zero
// memory is an empty ring, so the first process needs no other call than the
// others do.
func New(seg *shm.Segment, mem unsafe.Pointer, dataOff int64, cfg Config) (*Ring, error) {
	if cfg.Bytes < 8 || cfg.Bytes > MaxBytes || cfg.Items < 0 || cfg.Items > math.MaxInt32 ||
		cfg.Size < 0 || cfg.Size > math.MaxInt32 || (cfg.Fixed && int64(cfg.Size) > cfg.Bytes) {
		return nil, fmt.Errorf("ring of %d items and %d bytes: %w", cfg.Items, cfg.Bytes, mperr.ErrCorrupt)
	}
	if dataOff+cfg.DataSize() > seg.Size {
		return nil, fmt.Errorf("ring of %d bytes in a segment of %d: %w", cfg.Bytes, seg.Size, mperr.ErrCorrupt)
	}
	r := &Ring{c: (*control)(mem), cfg: cfg, seg: seg, maxUnits: uint32((cfg.Bytes + 7) / 8)}
	r.stride = cfg.stride(0)
	r.maxItems = r.maxUnits / r.stride
	if cfg.Items > 0 {
		r.maxItems = min(r.maxItems, uint32(cfg.Items))
	}
	for _, size := range cfg.sizes() {
		r.gens = append(r.gens, generation{off: dataOff, size: size, mask: uint32(size/8 - 1)})
		dataOff += size
	}
	r.put.Init(unsafe.Pointer(&r.c.putLock))
	r.get.Init(unsafe.Pointer(&r.c.getLock))
	r.put.AllowResident()
	r.get.AllowResident()
	r.notEmpty.Init(unsafe.Pointer(&r.c.notEmpty))
	r.notFull.Init(unsafe.Pointer(&r.c.notFull))
	r.allDone.Init(unsafe.Pointer(&r.c.allDone))
	return r, r.check()
}

// check refuses a control block that no sequence of puts and gets can leave
// behind, at any point of any of them.
func (r *Ring) check() error {
	// getGen first: it follows putGen, also while this runs.
	gg := atomic.LoadUint32(&r.c.getGen)
	pg := atomic.LoadUint32(&r.c.putGen)
	head, tail := r.snapshot()
	if int(pg) >= len(r.gens) || gg > pg {
		return r.corrupt("generations %d and %d of %d", pg, gg, len(r.gens))
	}
	if !r.sound(head, tail) {
		return r.unsound(head, tail)
	}
	return nil
}

// sound reports whether a ring can go from head to tail: the words count and
// measure the same records. tail may be that of a burst, and either a past value
// of its word. Who reads them without a lock takes a snapshot.
func (r *Ring) sound(head, tail word) bool {
	items, used := cnt(tail)-cnt(head), pos(tail)-pos(head)
	if r.cfg.Fixed {
		// While the ring is empty a rewind may have moved one and not yet the
		// other.
		return items <= r.maxItems && (items == 0 || used == items*r.stride)
	}
	return items <= r.maxItems && (items == 0 || used >= items && used <= r.maxUnits)
}

func (r *Ring) unsound(head, tail word) error {
	return r.corrupt("%d records in %d units, of at most %d in %d", cnt(tail)-cnt(head), pos(tail)-pos(head), r.maxItems, r.maxUnits)
}

// corruption is an error that is put into words when somebody reads it: it is
// found by a goroutine that is pinned.
type corruption struct {
	seg    *shm.Segment
	format string
	args   []any
}

func (r *Ring) corrupt(format string, a ...any) error { return &corruption{r.seg, format, a} }

func (c *corruption) Error() string {
	return fmt.Sprintf("%s %s: %s: %v", c.seg.Kind, c.seg.ID, fmt.Sprintf(c.format, c.args...), mperr.ErrCorrupt)
}

func (c *corruption) Unwrap() error { return mperr.ErrCorrupt }

// Every ring stands in a mapping from offset 0, close enough to its beginning
// for the nodes of resident locks.
const _ = uint(shm.TwinSpace-robust.TwinDistance) + uint(robust.TwinDistance-shm.TwinSpace)

// Detach must be called before the segment is closed, when nobody uses the
// ring any more.
func (r *Ring) Detach() {
	r.put.Detach()
	r.get.Detach()
}

// errUnmapped says that this process has not mapped a generation yet. Whoever
// gets it gives the lock back, calls mapGeneration and tries again.
var errUnmapped = errors.New("not mapped yet")

// at returns the memory of a position within generation g, whose first
// position is start. size bytes from there are contiguous.
func (r *Ring) at(g *generation, start, position uint32) (unsafe.Pointer, error) {
	base := g.base.Load()
	if base == nil {
		return nil, errUnmapped
	}
	return unsafe.Add(unsafe.Pointer(base), uintptr((position-start)&g.mask)*8), nil
}

func (r *Ring) mapGeneration(n uint32) error {
	if int(n) >= len(r.gens) {
		return r.corrupt("generation %d of %d", n, len(r.gens))
	}
	g := &r.gens[n]
	r.mapMu.Lock()
	defer r.mapMu.Unlock()
	if g.base.Load() != nil {
		return nil
	}
	p, err := r.seg.MapMirror(g.off, g.size)
	if err != nil {
		return err
	}
	g.base.Store((*byte)(p))
	return nil
}

// start is the first position of a generation. One that cannot be (reserve
// and enter refuse it) starts anywhere.
func (r *Ring) start(g uint32) uint32 {
	if g == 0 || g > maxGenerations {
		return 0
	}
	return atomic.LoadUint32(&r.c.ends[g-1].start)
}

// snapshot returns a head and a tail that were true at the same moment: the
// head did not change while the tail was read.
func (r *Ring) snapshot() (head, tail word) {
	head = atomic.LoadUint64(&r.c.head)
	for {
		tail = atomic.LoadUint64(&r.c.tail)
		again := atomic.LoadUint64(&r.c.head)
		if again == head {
			return head, tail
		}
		head = again
	}
}

// Len is the number of records in the ring, exact at one moment during the
// call.
func (r *Ring) Len() int {
	head, tail := r.snapshot()
	return int(min(cnt(tail)-cnt(head), r.maxItems))
}

// Full reports whether the item bound is reached; a ring bounded by bytes
// only is full when not even an empty record fits.
func (r *Ring) Full() bool {
	head, tail := r.snapshot()
	if r.cfg.Items > 0 && int(cnt(tail)-cnt(head)) >= r.cfg.Items {
		return true
	}
	return cnt(tail) != cnt(head) && pos(tail)-pos(head)+r.cfg.stride(0) > r.maxUnits
}

// Closed reports whether CloseWrite was called.
func (r *Ring) Closed() bool { return atomic.LoadUint32(&r.c.closed) != 0 }

// Abort makes all waiting calls of this process give up with ErrClosed, now
// and later. Other processes notice nothing.
func (r *Ring) Abort() {
	r.put.Abort()
	r.get.Abort()
	r.notEmpty.Abort()
	r.notFull.Abort()
	r.allDone.Abort()
}

// SetPeer makes the ring one direction of a pipe: gone reports whether nobody
// is left at the other end. Then Get returns io.EOF once the ring is empty,
// and Put returns ErrBrokenPipe. gone is called often and must not block. Call
// SetPeer before any other method.
func (r *Ring) SetPeer(gone func() bool) { r.gone = gone }

// peerGone reports whether nobody is left at the other end of a pipe.
func (r *Ring) peerGone() bool { return r.gone != nil && r.gone() }

// WakeAll makes everybody who waits for this ring, in any process, look again.
func (r *Ring) WakeAll() {
	r.notEmpty.NotifyAll()
	r.notFull.NotifyAll()
}
