//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sys/unix"

	"multiproc/mp"
)

// job is the work of one process.
type job struct {
	Things  things
	Subject int
	Client  int
	Calls   int
	Seed    uint64
	Fatal   int // during this call the process kills itself; negative: it does not
	Within  time.Duration
	Gate    *mp.Barrier // all begin together
	Journal *os.File
}

// play makes random calls, and writes them down.
func play(ctx context.Context, j job) error {
	s := &subjects[j.Subject]
	p := &player{things: &j.Things, loans: map[int]*mp.Delivery[int]{}}
	w, err := openJournal(j.Journal, j.Client)
	if err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(j.Seed, uint64(j.Client)))
	if _, err := j.Gate.Wait(ctx); err != nil {
		return err
	}
	for start := now()/tick + 2; now()/tick < start; { // closer together than they wake up
	}
	for i := range j.Calls {
		o := s.next(rnd, p.has)
		if o.code == repair && j.Fatal >= 0 {
			o = op{code: acquire} // see lockStep
		}
		o.client = j.Client
		if i == j.Fatal {
			go die(time.Duration(rnd.Int64N(int64(j.Within))))
		}
		if err := w.do(o, func(o op) (answer, error) { return s.call(ctx, p, o) }); err != nil {
			return err
		}
	}
	if j.Fatal >= 0 {
		select {} // it comes
	}
	return nil
}

// die kills this process, most likely in the middle of a call: it does not sleep until
// then, which would take longer than the calls that are left.
func die(after time.Duration) {
	for began := time.Now(); time.Since(began) < after; {
	}
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
}

var Play = mp.Proc(play)

const (
	players = 4
	kills   = 2 // in a round

	tick   = int64(time.Millisecond)
	decide = 5 * time.Second // for one history
)

// histories is a check for each subject in each place.
func histories(e *env) (list []*check, err error) {
	where, err := e.places()
	if err != nil {
		return nil, err
	}
	for i := range subjects {
		for _, at := range where {
			list = append(list, &check{
				object: subjects[i].name + " in " + at.name,
				round:  func(ctx context.Context, seed uint64, sum *tally) error { return round(ctx, i, at, seed, sum) },
			})
		}
	}
	return list, nil
}

// round is one history of one subject.
func round(ctx context.Context, which int, at place, seed uint64, sum *tally) (err error) {
	s := &subjects[which]
	var t things
	if err := s.open(&t, at.options...); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	rnd := rand.New(rand.NewPCG(seed, 0))
	var list []porcupine.Operation
	var failed error
	gate, err := mp.NewBarrier(players)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gate.Close()) }()
	type player struct {
		p *mp.Process[mp.None]
		j *journal
	}
	var all []player
	for i := range players {
		j, err := newJournal(1+i, at.calls)
		if err != nil {
			return err
		}
		fatal := -1
		if i < kills {
			fatal = rnd.IntN(at.calls)
			sum.kills++
		}
		p, err := Play.Start(ctx, job{t, which, j.client, at.calls, seed, fatal, at.within, gate, j.f})
		if err != nil {
			return err
		}
		all = append(all, player{p, j})
	}
	for _, a := range all {
		err := a.p.Wait(ctx)
		var exit *mp.ExitError
		if err != nil && !errors.As(err, &exit) { // a call has failed
			failed = errors.Join(failed, err)
		}
		ops := a.j.read()
		if err := a.j.close(); err != nil {
			return err
		}
		list = append(list, ops...)
		if len(ops) > 0 && (s.settled != nil || s.putBack && at.options != nil) {
			last := ops[len(ops)-1]
			since := last.Call
			if last.Return != math.MaxInt64 {
				since = last.Return
			}
			list = append(list, porcupine.Operation{
				ClientId: clients + a.j.client, Input: op{code: death, key: a.j.client, client: a.j.client},
				Call: since + 1, Output: answer{unknown: true}, Return: math.MaxInt64,
			})
		}
	}
	if failed != nil {
		return failed
	}
	if s.settled != nil {
		began := time.Now()
		if err := s.settled(ctx, &t); err != nil {
			return err
		}
		sum.longest = max(sum.longest, time.Since(began))
		end := now()
		for i := range list {
			if list[i].Input.(op).code == death {
				list[i].Return = end
			}
		}
	}
	if list, err = look(ctx, s, &t, list); err != nil {
		return err
	}
	sum.calls += len(list)
	for _, o := range list {
		if o.Output.(answer).unknown && o.Input.(op).code != death {
			sum.maybes++
		}
	}
	switch result, info := porcupine.CheckOperationsVerbose(s.model, list, decide); result {
	case porcupine.Unknown:
		sum.undecided++
	case porcupine.Illegal:
		sum.violations++
		name := fmt.Sprintf("torture-%d.html", seed)
		if err := porcupine.VisualizePath(s.model, info, name); err != nil {
			name = err.Error()
		}
		for _, o := range list {
			log.Print(o.Call, " ", o.Return, " ", s.model.DescribeOperation(o.Input, o.Output))
		}
		log.Printf("no order of these calls explains what they were told; see %s", name)
	}
	return nil
}

// look adds the parent's calls, which show what is there.
func look(ctx context.Context, s *subject, t *things, list []porcupine.Operation) ([]porcupine.Operation, error) {
	p := &player{things: t}
	for _, o := range s.last {
		for again := true; again; {
			began := now()
			a, err := s.call(ctx, p, o)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", describe(o), err)
			}
			list = append(list, porcupine.Operation{Input: o, Call: began, Output: a, Return: now()})
			again = a.ok && o.code == take
		}
	}
	return list, nil
}
