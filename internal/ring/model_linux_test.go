package ring

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"unsafe"

	"multiproc/internal/mperr"
)

// model is a queue as a slice.
type model struct {
	cfg    Config
	items  [][]byte
	units  uint32
	closed bool
}

// verdict is what TryPut of n bytes must say.
func (m *model) verdict(n int) error {
	c := &m.cfg
	limit := uint32((c.Bytes + 7) / 8)
	switch {
	case !c.Fixed && int64(n) > c.Bytes, c.stride(n) > limit:
		return mperr.ErrTooLarge
	case m.closed:
		return mperr.ErrClosed
	case c.Items > 0 && len(m.items) >= c.Items, m.units+c.stride(n) > limit:
		return mperr.ErrFull
	}
	return nil
}

func (m *model) put(rec []byte) {
	m.items = append(m.items, rec)
	m.units += m.cfg.stride(len(rec))
}

func (m *model) get() []byte {
	rec := m.items[0]
	m.items = m.items[1:]
	m.units -= m.cfg.stride(len(rec))
	return rec
}

// record makes a record that tells its number and whether it is whole.
func record(id uint64, n int) []byte {
	b := make([]byte, n)
	x := id*0x9e3779b97f4a7c15 + 1
	for i := 0; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], x+uint64(i))
	}
	for i := n &^ 7; i < n; i++ {
		b[i] = byte(x >> 8)
	}
	return b
}

func addr(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

func clone(p unsafe.Pointer, n int) []byte {
	return append([]byte{}, unsafe.Slice((*byte)(p), max(n, 0))...)
}

// cancelled makes waiting calls into trying ones.
var cancelled = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// history plays random operations on the handles and on the model.
type history struct {
	m       model
	handles []*Ring
	rnd     *rand.Rand
	next    uint64
	size    func() int
}

func (h *history) handle() *Ring { return h.handles[h.rnd.IntN(len(h.handles))] }

func (h *history) make() []byte {
	h.next++
	return record(h.next, h.size())
}

func (h *history) put() error {
	rec := h.make()
	want := h.m.verdict(len(rec))
	if err := h.handle().TryPut(addr(rec), len(rec)); !errors.Is(err, want) {
		return fmt.Errorf("TryPut of %d bytes, %d in use of %d: %v, want %v", len(rec), h.m.units, h.m.cfg.Bytes/8, err, want)
	}
	if want == nil {
		h.m.put(rec)
	}
	return nil
}

func (h *history) putMany() error {
	recs := make([][]byte, h.rnd.IntN(40))
	before := h.m
	var want error
	fit := 0
	for i := range recs {
		recs[i] = h.make()
		if want == nil {
			if want = h.m.verdict(len(recs[i])); want == nil {
				h.m.put(recs[i])
				fit++
			}
		}
	}
	if errors.Is(want, mperr.ErrFull) {
		want = context.Canceled
	}
	n, err := h.handle().PutMany(cancelled, len(recs), func(i int) (unsafe.Pointer, int) { return addr(recs[i]), len(recs[i]) })
	if n != fit || !errors.Is(err, want) {
		return fmt.Errorf("PutMany of %d: %d %v, want %d %v (%d in use before)", len(recs), n, err, fit, want, before.units)
	}
	return nil
}

// gotten compares what a get returned with the model.
func (h *history) gotten(rec []byte, err error) error {
	if len(h.m.items) == 0 {
		want := mperr.ErrEmpty
		if h.m.closed {
			want = io.EOF
		}
		if !errors.Is(err, want) && !(errors.Is(err, context.Canceled) && errors.Is(want, mperr.ErrEmpty)) {
			return fmt.Errorf("get from an empty ring: %d bytes, %v, want %v", len(rec), err, want)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("get with %d records: %v", len(h.m.items), err)
	}
	if want := h.m.get(); string(want) != string(rec) {
		return fmt.Errorf("got a record of %d bytes %.16x, want %d bytes %.16x", len(rec), rec, len(want), want)
	}
	return nil
}

func (h *history) get() error {
	r := h.handle()
	if h.m.cfg.Fixed {
		b := make([]byte, h.m.cfg.Size)
		err := r.TryGet(addr(b))
		return h.gotten(b, err)
	}
	switch h.rnd.IntN(3) {
	case 0:
		return h.gotten(r.TryGetAppend(nil))
	case 1:
		return h.gotten(r.TryGetFresh())
	}
	return h.gotten(r.GetFresh(cancelled))
}

func (h *history) getMany() error {
	limit := h.rnd.IntN(40)
	var recs [][]byte
	sink := func(p unsafe.Pointer, n int) { recs = append(recs, clone(p, n)) }
	n, err := h.handle().TryGetMany(limit, sink)
	if want := min(limit, len(h.m.items)); n != want || len(recs) != n {
		return fmt.Errorf("TryGetMany(%d) of %d: %d, %d to the sink, %v", limit, len(h.m.items), n, len(recs), err)
	}
	for _, rec := range recs {
		if err := h.gotten(rec, err); err != nil {
			return err
		}
	}
	if n == 0 && limit > 0 {
		return h.gotten(nil, err)
	}
	return nil
}

func (h *history) check() error {
	r := h.handle()
	full := h.m.cfg.Items > 0 && len(h.m.items) >= h.m.cfg.Items ||
		len(h.m.items) > 0 && h.m.units+h.m.cfg.stride(0) > uint32((h.m.cfg.Bytes+7)/8)
	if r.Len() != len(h.m.items) || r.Full() != full || r.Readable() != (len(h.m.items) > 0 || h.m.closed) {
		return fmt.Errorf("Len %d Full %v Readable %v, want %d %v", r.Len(), r.Full(), r.Readable(), len(h.m.items), full)
	}
	return r.check()
}

func (h *history) step() error {
	var err error
	switch h.rnd.IntN(10) {
	case 0, 1, 2, 3:
		err = h.put()
	case 4, 5, 6:
		err = h.get()
	case 7:
		err = h.putMany()
	case 8:
		err = h.getMany()
	case 9: // phases in which it fills or drains
		op := h.put
		if h.rnd.IntN(2) == 0 {
			op = h.get
		}
		for range h.rnd.IntN(200) {
			if err = op(); err != nil {
				break
			}
		}
	}
	if err == nil {
		err = h.check()
	}
	return err
}

// startAt moves an untouched ring's indexes, as if it had been in use for
// long.
func startAt(r *Ring, position, count uint32) {
	c := r.c
	w := pack(position, count)
	c.head, c.tail, c.cachedHead, c.cachedTail = w, w, w, w
	c.cachedLow, c.rewindAt, c.done = position, position, count
}

func TestModel(t *testing.T) {
	small := func(r *rand.Rand) func() int { return func() int { return r.IntN(100) } }
	large := func(r *rand.Rand) func() int {
		return func() int { return r.IntN(1 << r.IntN(18)) }
	}
	fixed := func(n int) func(*rand.Rand) func() int {
		return func(*rand.Rand) func() int { return func() int { return n } }
	}
	for _, c := range []struct {
		cfg  Config
		size func(*rand.Rand) func() int
	}{
		{Config{Fixed: true, Size: 8, Items: 1, Bytes: 1 << 30}, fixed(8)},
		{Config{Fixed: true, Size: 8, Items: 100, Bytes: 1 << 20}, fixed(8)},
		{Config{Fixed: true, Size: 8, Bytes: 2000}, fixed(8)},
		{Config{Fixed: true, Size: 0, Bytes: 300}, fixed(0)},
		{Config{Fixed: true, Size: 13, Bytes: 13}, fixed(13)},
		{Config{Fixed: true, Size: 1001, Bytes: 1 << 20}, fixed(1001)},
		{Config{Fixed: true, Size: 100_000, Bytes: 1 << 20}, fixed(100_000)},
		{Config{Bytes: 500}, small},
		{Config{Bytes: 64 << 10}, small},
		{Config{Items: 10, Bytes: 1 << 20}, small},
		{Config{Bytes: 2 << 20}, large},
		{Config{Items: 200, Bytes: 300_000}, large},
	} {
		for seed := range uint64(6) {
			r := newRing(t, c.cfg)
			rnd := rand.New(rand.NewPCG(seed, 1))
			h := &history{m: model{cfg: c.cfg}, handles: []*Ring{r, attach(t, r.seg, c.cfg)}, rnd: rnd, size: c.size(rnd)}
			switch seed % 3 {
			case 1: // both run over within the history
				startAt(r, -uint32(rnd.IntN(5000)), -uint32(rnd.IntN(50)))
			case 2:
				startAt(r, 1<<31-uint32(rnd.IntN(5000)), 1<<31-1)
			}
			for i := range 150 {
				if i == 145 {
					if err := r.CloseWrite(context.Background()); err != nil {
						t.Fatal(err)
					}
					h.m.closed = true
				}
				if err := h.step(); err != nil {
					t.Fatalf("%+v seed %d step %d: %v", c.cfg, seed, i, err)
				}
			}
		}
	}
}
