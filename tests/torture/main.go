//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
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

// totals are what all rounds have come to.
type totals struct {
	rounds, calls, maybes, kills, undecided, violations int
	longest                                             time.Duration // until the dead had given back what they had
}

// round is one history of one subject.
func round(ctx context.Context, which int, at place, seed uint64, sum *totals) (err error) {
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
	sum.rounds, sum.calls = sum.rounds+1, sum.calls+len(list)
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
		log.Printf("%s in %s, seed %d: no order of these calls explains what they were told; see %s", s.name, at.name, seed, name)
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

func main() {
	mp.Init()
	log.SetFlags(0)
	long := flag.Duration("for", time.Minute, "how long all rounds take together")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the first round; each has one more")
	rounds := flag.Int("rounds", math.MaxInt, "how many of each kind at most")
	only := flag.String("only", "", "a regular expression: those of which the name matches")
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil {
		log.Fatal(err)
	}
	ok, err := run(*long, *rounds, *seed, match)
	if err != nil {
		log.Fatal(err)
	}
	if !ok {
		os.Exit(1)
	}
}

// run does rounds of everything in turn.
func run(long time.Duration, rounds int, seed uint64, only *regexp.Regexp) (ok bool, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	where, end, err := places(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, end()) }()
	type kind struct {
		which int
		at    place
		sum   totals
	}
	var kinds []*kind
	for i := range subjects {
		for _, at := range where {
			if only.MatchString(subjects[i].name + " in " + at.name) {
				kinds = append(kinds, &kind{which: i, at: at})
			}
		}
	}
	fmt.Printf("seed %d\n", seed)
	began := time.Now()
	for n := 0; n < rounds && len(kinds) > 0 && time.Since(began) < long; n++ {
		for _, k := range kinds {
			if err := round(ctx, k.which, k.at, seed+uint64(n), &k.sum); err != nil {
				k.sum.violations++
				log.Printf("%s in %s, seed %d: %v", subjects[k.which].name, k.at.name, seed+uint64(n), err)
			}
		}
	}
	ok = true
	fmt.Printf("%-34s %7s %8s %7s %7s %9s %9s %10s\n", "object", "rounds", "calls", "maybes", "kills", "longest", "undecided", "violations")
	for _, k := range kinds {
		s := &k.sum
		fmt.Printf("%-34s %7d %8d %7d %7d %9s %9d %10d\n", subjects[k.which].name+" in "+k.at.name,
			s.rounds, s.calls, s.maybes, s.kills, s.longest.Round(100*time.Microsecond), s.undecided, s.violations)
		ok = ok && s.violations == 0
	}
	return ok, nil
}
