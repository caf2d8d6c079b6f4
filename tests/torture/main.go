//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"multiproc/manager"
	"multiproc/mp"
)

// part is one way to look for faults. It has so many shares of the time.
type part struct {
	name   string
	shares int
	checks func(e *env) ([]*check, error)
}

var parts = []part{
	{"failpoints", 2, failpoints},
	{"images", 3, images},
	{"differential", 1, differential},
	{"histories", 3, histories},
	{"storms", 3, storms},
	{"hostile", 3, hostile},
}

// check is what is done again and again with one kind of object: a line of the table.
type check struct {
	object string
	// round is all that a seed stands for. An error is a violation, as is what the round
	// itself counts as one.
	round func(ctx context.Context, seed uint64, sum *tally) error
	once  bool // a round takes minutes: one is enough, whatever there is of time
	sum   tally
}

// tally is what rounds have come to.
type tally struct {
	rounds, calls, maybes, refused, flips, images, kills, undecided, violations int
	longest                                                                     time.Duration // until the dead had given back what they had
}

func (t *tally) add(o *tally) {
	t.rounds, t.calls, t.maybes = t.rounds+o.rounds, t.calls+o.calls, t.maybes+o.maybes
	t.refused, t.flips = t.refused+o.refused, t.flips+o.flips
	t.images, t.kills, t.longest = t.images+o.images, t.kills+o.kills, max(t.longest, o.longest)
	t.undecided, t.violations = t.undecided+o.undecided, t.violations+o.violations
}

// env is what the parts have in common.
type env struct {
	ctx     context.Context
	manager *manager.Manager
}

// places are memory and a manager, which is started when it is needed.
func (e *env) places() (list []place, err error) {
	if e.manager == nil {
		if e.manager, err = manager.Start(e.ctx, manager.Options{}); err != nil {
			return nil, err
		}
	}
	return []place{
		{name: "memory", within: 5 * time.Microsecond, calls: 200},
		{name: "a manager", options: []mp.Option{mp.In(e.manager)}, within: 200 * time.Microsecond, calls: 40},
	}, nil
}

func (e *env) close() error {
	if e.manager == nil {
		return nil
	}
	return e.manager.Close()
}

// order is what the command line asks for.
type order struct {
	long   time.Duration
	rounds int
	seed   uint64
	parts  []string
	only   *regexp.Regexp
}

func main() {
	mp.Init()
	log.SetFlags(0)
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	o := order{}
	flag.DurationVar(&o.long, "for", 5*time.Minute, "how long all rounds take together")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of the first round; each has one more")
	flag.IntVar(&o.rounds, "rounds", math.MaxInt, "how many of each kind at most")
	list := flag.String("part", strings.Join(names, ","), "the parts to play, with commas")
	only := flag.String("only", "", "a regular expression: those of which the name, as in the table, matches")
	flag.Parse()
	o.parts = strings.Split(*list, ",")
	for _, name := range o.parts {
		if !slices.Contains(names, name) {
			log.Fatalf("there is no part %q, there are %s", name, strings.Join(names, ", "))
		}
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		log.Fatal(err)
	}
	ok, err := run(o)
	if err != nil {
		log.Fatal(err)
	}
	if !ok {
		os.Exit(1)
	}
}

// run plays the parts one after the other, and prints what came of it.
func run(o order) (ok bool, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := &env{ctx: ctx}
	defer func() { err = errors.Join(err, e.close()) }()
	shares := 0
	for _, p := range parts {
		if slices.Contains(o.parts, p.name) {
			shares += p.shares
		}
	}
	fmt.Printf("seed %d\n", o.seed)
	fmt.Printf(format, "part", "object", "rounds", "calls", "maybes", "refused", "flips", "images", "kills", "longest", "undecided", "violations")
	var all tally
	for _, p := range parts {
		if !slices.Contains(o.parts, p.name) {
			continue
		}
		list, err := p.checks(e)
		if err != nil {
			return false, fmt.Errorf("%s: %w", p.name, err)
		}
		list = slices.DeleteFunc(list, func(c *check) bool { return !o.only.MatchString(c.object) })
		play := time.Duration(int64(o.long) / int64(shares) * int64(p.shares))
		p.play(ctx, list, o, play)
		for _, c := range list {
			c.sum.print(p.name, c.object)
			all.add(&c.sum)
		}
	}
	all.print("in all", "")
	return all.violations == 0, nil
}

// play does rounds of all checks in turn.
func (p *part) play(ctx context.Context, list []*check, o order, long time.Duration) {
	began := time.Now()
	for n := 0; n < o.rounds && len(list) > 0 && time.Since(began) < long; n++ {
		for _, c := range list {
			if n > 0 && (c.once || time.Since(began) > 2*long) {
				continue
			}
			seed, violations := o.seed+uint64(n), c.sum.violations
			err := c.round(ctx, seed, &c.sum)
			c.sum.rounds++
			if err != nil {
				c.sum.violations++
				log.Print(err)
			}
			if c.sum.violations > violations {
				log.Printf("a violation; again: -part %s -only '^%s$' -rounds 1 -seed %d", p.name, regexp.QuoteMeta(c.object), seed)
			}
		}
	}
}

const format = "%-13s %-28s %7v %9v %7v %8v %7v %8v %7v %9v %9v %10v\n"

func (t *tally) print(part, object string) {
	fmt.Printf(format, part, object, t.rounds, t.calls, t.maybes, t.refused, t.flips, t.images, t.kills,
		t.longest.Round(100*time.Microsecond), t.undecided, t.violations)
}
