//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"multiproc/mp"
)

const (
	preyed    = 2                      // processes that work on what is damaged, beside the one that does it
	brief     = 20 * time.Millisecond  // for one call: a lock may say that somebody has it
	damaging  = 150 * time.Millisecond // a round
	enduring  = 20 * time.Second       // in which all must have ended
	headBytes = 4096                   // of a segment, in which half of all damage is
)

// hostile is a check for each kind of object that lives in memory.
func hostile(*env) (list []*check, err error) {
	for i, k := range kinds {
		if k.lives() {
			list = append(list, &check{object: k.name, round: func(ctx context.Context, seed uint64, sum *tally) error {
				return hunt(ctx, i, seed, sum)
			}})
		}
	}
	return list, nil
}

// hunt is a round. All of it is in processes of its own: the one that has made the object
// damages it, and works on it as well.
func hunt(ctx context.Context, kind int, seed uint64, sum *tally) (err error) {
	ops, err := mp.NewCounter(0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ops.Close()) }()
	bits, err := mp.NewCounter(0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bits.Close()) }()
	p, err := Damage.With(frank()).Start(ctx, villain{kind, seed, ops, bits})
	if err != nil {
		return err
	}
	err = ending(ctx, p, 4*enduring) // it waits for two others
	sum.calls, sum.flips = sum.calls+int(ops.Load()), sum.flips+int(bits.Load())
	return err
}

// frank has a process that is told to quit show all its stacks, also of what is running.
func frank() mp.StartOptions {
	return mp.StartOptions{
		Env: append(os.Environ(), "GOTRACEBACK=crash"), Quiet: true, Stderr: io.Discard, // the crash report has it
		MemoryLimit: 1 << 30,
	}
}

// ending waits for the end of one that has been told to go, or goes by itself.
func ending(ctx context.Context, p *mp.Process[mp.None], within time.Duration) error {
	err := p.Wait(mp.Within(ctx, within))
	if errors.Is(err, mp.ErrRunning) {
		_ = unix.Kill(p.PID(), unix.SIGQUIT)
		err = fmt.Errorf("a call does not end within %v: %w", within, p.Wait(mp.Within(ctx, enduring/4)))
		_ = p.Kill()
		<-p.Done()
	}
	var exit *mp.ExitError
	if errors.As(err, &exit) && exit.Crash != "" {
		err = fmt.Errorf("%w\n%.20000s", err, exit.Crash)
	}
	return err
}

// villain is the job of the process that damages.
type villain struct {
	Kind int
	Seed uint64
	Ops  *mp.Counter
	Bits *mp.Counter
}

// prey is the job of one that works on what is damaged.
type prey struct {
	Kind   int
	Object any
	Seed   uint64
	Number int
	Ops    *mp.Counter
	Over   *mp.Counter
}

func suffer(ctx context.Context, p prey) error {
	k := kinds[p.Kind]
	o := k.adopt(p.Object)
	rnd := rand.New(rand.NewPCG(p.Seed, uint64(p.Number)))
	for p.Over.Load() == 0 {
		endure(ctx, k, o, rnd)
		p.Ops.Add(1)
	}
	return nil
}

// endure makes a call, whose answer may be anything.
func endure(ctx context.Context, k *kindred, o asked, rnd *rand.Rand) {
	defer func() {
		// Unlock panics, as it says, where the memory says that the lock is not held.
		if r := recover(); r != nil && !strings.Contains(fmt.Sprint(r), "does not hold through this handle") {
			panic(r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, brief)
	defer cancel()
	_, _ = o.do(ctx, k.draw(rnd))
}

var Suffer = mp.Proc(suffer)

func damage(ctx context.Context, v villain) error {
	k := kinds[v.Kind]
	before, err := segments()
	if err != nil {
		return err
	}
	o, err := k.open()
	if err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(v.Seed, 0))
	for range rnd.IntN(300) {
		endure(ctx, k, o, rnd)
	}
	after, err := segments()
	if err != nil {
		return err
	}
	over, err := mp.NewCounter(0)
	if err != nil {
		return err
	}
	var list []*mp.Process[mp.None]
	for i := range preyed {
		p, err := Suffer.With(frank()).Start(ctx, prey{v.Kind, o.handle, v.Seed, 1 + i, v.Ops, over})
		if err != nil {
			return err
		}
		list = append(list, p)
	}
	var targets []*os.File
	for name, f := range after {
		if before[name] == nil {
			targets = append(targets, f)
		}
	}
	if len(targets) == 0 {
		return errors.New("the object has no segment")
	}
	if rnd.IntN(4) > 0 {
		if err := until(ctx, func() (bool, error) { return v.Ops.Load() > 10, nil }); err != nil {
			return err
		}
	}
	most := 1 << rnd.IntN(10) // bits; with few, others are not hidden by the first
	for began, next := time.Now(), time.Duration(0); time.Since(began) < damaging; {
		if most > 0 && time.Since(began) > next {
			n, err := flip(targets[rnd.IntN(len(targets))], rnd)
			if err != nil {
				return err
			}
			v.Bits.Add(int64(n))
			most--
			next += time.Duration(rnd.Int64N(int64(4 * time.Millisecond)))
		}
		endure(ctx, k, o, rnd)
		v.Ops.Add(1)
	}
	over.Store(1)
	for _, p := range list {
		// One that came late may have found that this is no object.
		if e := ending(ctx, p, enduring); e != nil && !errors.Is(e, mp.ErrCorrupt) {
			err = errors.Join(err, e)
			log.Print(e)
		}
	}
	_ = o.close()
	return err
}

var Damage = mp.Proc(damage)

// segments are the memory files that this process has open, by the object's identity.
func segments() (map[string]*os.File, error) {
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return nil, err
	}
	list := map[string]*os.File{}
	for _, l := range links {
		to, err := os.Readlink(l)
		if err != nil || !strings.HasPrefix(to, "/memfd:mp:") {
			continue
		}
		f, err := os.OpenFile(l, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		list[fmt.Sprintf("%v", info.Sys())] = f
	}
	return list, nil
}

// flip damages one word of what a segment has in use: one bit, some, or all. It returns how
// many it was.
func flip(f *os.File, rnd *rand.Rand) (int, error) {
	at, err := inUse(f, rnd)
	if err != nil {
		return 0, err
	}
	at &^= 7
	b := make([]byte, 8)
	if _, err := f.ReadAt(b, at); err != nil {
		return 0, err
	}
	n := 0
	switch rnd.IntN(8) {
	case 0: // a number that somebody might have meant
		b[rnd.IntN(8)] += byte(1 << rnd.IntN(8))
		n = 1
	case 1:
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		n = 32
	case 2:
		clear(b)
		n = 32
	default:
		b[rnd.IntN(8)] ^= 1 << rnd.IntN(8)
		n = 1
	}
	_, err = f.WriteAt(b, at)
	return n, err
}

// inUse is a random place in memory that was ever written to.
func inUse(f *os.File, rnd *rand.Rand) (int64, error) {
	type extent struct{ from, to int64 }
	var list []extent
	total := int64(0)
	for at := int64(0); ; {
		from, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			return 0, err
		}
		to, err := unix.Seek(int(f.Fd()), from, unix.SEEK_HOLE)
		if err != nil {
			return 0, err
		}
		list, total, at = append(list, extent{from, to}), total+to-from, to
	}
	n := rnd.Int64N(total)
	if rnd.IntN(2) == 0 {
		n = rnd.Int64N(min(total, headBytes))
	}
	for _, e := range list {
		if n < e.to-e.from {
			return e.from + n, nil
		}
		n -= e.to - e.from
	}
	return 0, nil
}
