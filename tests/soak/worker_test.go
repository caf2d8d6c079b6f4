//go:build soak

package soak

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"multiproc/mp"
)

// ids is how many items each worker's place can put.
const ids = 4 << 20

type wide struct{ A, B, C int64 }

// storm is what all workers share.
type storm struct {
	Place   int
	Queue   *mp.Queue[[]byte]
	Next    *mp.RawArray[int64] // by place: the last id used
	Put     *mp.Array[uint8]    // by id: Put has returned
	Got     *mp.Array[uint8]    // by id: how often it was received
	Value   *mp.Value[wide]
	Updates *mp.Array[int64] // by place: updates that have returned
	Mutex   *mp.Mutex
	Guarded *mp.RawArray[int64] // two numbers, equal unless somebody is between
	Locks   *mp.Array[int64]    // by place: critical sections begun
	Repairs *mp.Counter
	Rescues *mp.Counter // waits that only the re-check ended
	Stop    *mp.Counter
}

// Work does this and that until it is stopped or killed.
var Work = mp.Proc(work)

func work(ctx context.Context, s storm) error {
	countRescues(s.Rescues)
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(time.Now().UnixNano())))
	for s.Stop.Load() == 0 && ctx.Err() == nil {
		var err error
		switch r.IntN(8) {
		case 0, 1, 2:
			err = s.put(ctx, r)
		case 3, 4, 5:
			err = s.get(ctx, r)
		case 6:
			err = s.Value.Update(ctx, func(w *wide) error { w.A++; w.B += 2; w.C += 3; return nil })
			if err == nil {
				mp.AtomicAdd(s.Updates, s.Place, 1)
			}
		case 7:
			err = s.lock(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// record is an item with a checksum over an odd number of bytes.
func record(id int64, n int) []byte {
	b := make([]byte, 12+n)
	binary.LittleEndian.PutUint64(b[4:], uint64(id))
	for i := range n {
		b[12+i] = byte(id + int64(i))
	}
	binary.LittleEndian.PutUint32(b, crc32.ChecksumIEEE(b[4:]))
	return b
}

func idOf(b []byte) (int64, error) {
	if len(b) < 12 || binary.LittleEndian.Uint32(b) != crc32.ChecksumIEEE(b[4:]) {
		return 0, fmt.Errorf("a torn record of %d bytes", len(b))
	}
	return int64(binary.LittleEndian.Uint64(b[4:])), nil
}

// timeLimit is mostly short, so that work goes on, and now and then longer than
// the pause of the re-check.
func timeLimit(ctx context.Context, r *rand.Rand) (context.Context, context.CancelFunc) {
	d := time.Millisecond
	if r.IntN(8) == 0 {
		d = 300 * time.Millisecond
	}
	return context.WithTimeout(ctx, d)
}

func (s *storm) put(ctx context.Context, r *rand.Rand) error {
	n := s.Next.Load(s.Place) + 1
	if n >= ids {
		return nil
	}
	s.Next.Store(s.Place, n)
	id := int64(s.Place)*ids + n
	timeLimit, cancel := timeLimit(ctx, r)
	defer cancel()
	err := s.Queue.Put(timeLimit, record(id, r.IntN(2000)))
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if err == nil {
		s.Put.Store(int(id), 1)
	}
	return err
}

func (s *storm) get(ctx context.Context, r *rand.Rand) error {
	timeLimit, cancel := timeLimit(ctx, r)
	defer cancel()
	b, err := s.Queue.Get(timeLimit)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.receive(b)
}

func (s *storm) receive(b []byte) error {
	id, err := idOf(b)
	if err == nil {
		mp.AtomicAdd(s.Got, int(id), 1)
	}
	return err
}

func (s *storm) lock(ctx context.Context) error {
	var died *mp.OwnerDiedError
	err := s.Mutex.Lock(ctx)
	switch {
	case errors.As(err, &died):
		return s.Mutex.Repair(ctx, func() error {
			g := s.Guarded.Elements()
			g[1] = g[0]
			s.Repairs.Add(1)
			return nil
		})
	case err != nil:
		return err
	}
	defer s.Mutex.Unlock()
	g := s.Guarded.Elements()
	if g[0] != g[1] {
		return fmt.Errorf("half changed without a report: %d and %d", g[0], g[1])
	}
	mp.AtomicAdd(s.Locks, s.Place, 1)
	g[0]++
	// Long enough that many of the kills find somebody here.
	begin := time.Now()
	for time.Since(begin) < 20*time.Microsecond {
		runtime.Gosched()
	}
	g[1]++
	return nil
}
