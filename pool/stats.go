package pool

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"multiproc/mp/executor"
)

// Stats say what a pool has done, and what its workers did with their time.
type Stats struct {
	Workers []WorkerStats // that there are, the oldest first
	Gone    WorkerStats   // the sum of those that there were before
	Items   int           // that have a result or an error
	Failed  int           // of those, that have an error
	Retried int
	Deaths  int // of workers that the pool did not want to end, or had to kill
	Ended   int // workers that were replaced, or were too many
	Waiting int // items that were taken from their input and that no worker has
	Running int // items that workers have
	Slowest []Slow
}

// WorkerStats are a worker's.
type WorkerStats struct {
	Name  string
	PID   int
	State string // "starting", "setting up", "idle", "working", "spare" or "leaving"
	Task  string // that it works on
	Index int    // of the item that it is at, -1 if it is at none
	Items int
	RSS   int64 // resident memory in bytes when it was last looked at

	Starting  time.Duration // until the process could take its first order
	SettingUp time.Duration
	Waiting   time.Duration // for orders
	Working   time.Duration
}

// Slow is an item that took long, or a chunk of items that took long on average.
type Slow struct {
	Task   string
	Index  int           // of the first item
	Count  int           // 1, or the items of the chunk
	Took   time.Duration // each
	Arg    string        // the first item's argument, at most 100 bytes of it
	Worker string
}

const (
	slowest = 5 // that are kept
	longArg = 100
)

// Stats returns what is so now.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.unlock()
	st := p.total
	st.Slowest = slices.Clone(st.Slowest)
	for s := range p.streams {
		if !s.closed {
			st.Waiting += s.pending()
		}
		st.Running += s.out
	}
	for _, h := range p.hands {
		st.Workers = append(st.Workers, h.snapshot())
	}
	return st
}

func (h *hand) snapshot() WorkerStats {
	w := h.stats
	w.Name, w.Index = h.name, -1
	switch {
	case !h.started:
		w.State = "starting"
		return w
	case h.leaving:
		w.State = "leaving"
	case !h.ready:
		w.State = "setting up"
	case h.spare:
		w.State = "spare"
	case len(h.orders) == 0:
		w.State = "idle"
	default:
		w.State = "working"
	}
	w.PID = h.proc.PID()
	if is := h.at(); is != nil {
		w.Task = is.s.job.Task
		if i := is.running(); i >= 0 {
			w.Index = is.run.first + i
		}
	}
	return w
}

// add adds what a worker did that is gone.
func (w *WorkerStats) add(o WorkerStats) {
	w.Items += o.Items
	w.Starting += o.Starting
	w.SettingUp += o.SettingUp
	w.Waiting += o.Waiting
	w.Working += o.Working
}

// slow notes an order that took long. mu is held.
func (p *Pool) slow(h *hand, is *issued, took time.Duration) {
	count, _ := is.out.published()
	if count == 0 || is.s.pinned != nil {
		return
	}
	took /= time.Duration(count)
	list := p.total.Slowest
	if len(list) == slowest && took <= list[slowest-1].Took {
		return
	}
	one := Slow{Task: is.s.job.Task, Index: is.run.first, Count: count, Took: took, Worker: h.name, Arg: cmp.Or(is.arg, is.argument())}
	at, _ := slices.BinarySearchFunc(list, one, func(a, b Slow) int { return int(b.Took - a.Took) })
	list = slices.Insert(slices.Clone(list), at, one)
	p.total.Slowest = list[:min(len(list), slowest)]
}

// argument is the first argument of an order for people.
func (is *issued) argument() (s string) {
	r, ok := executor.Lookup(is.s.job.Task)
	if !ok {
		return ""
	}
	if is.run.block == nil {
		s = r.DescribeValue(is.run.value)
	} else if b := is.run.block.span; b.seg != nil && is.run.n > 0 {
		arg := b.bytes()[is.run.off : is.run.off+is.run.len]
		arg = arg[:skipOne(arg, is.s.job.ArgSize)]
		if is.s.job.ArgSize < 0 {
			arg = arg[min(argumentHead, len(arg)):]
		}
		s = r.Describe(arg)
	}
	if len(s) > longArg {
		s = s[:longArg-3] + "..."
	}
	return s
}

// String is a table for people.
func (st Stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d items done, %d failed, %d retried; %d waiting, %d running; %d workers died, %d were replaced\n",
		st.Items, st.Failed, st.Retried, st.Waiting, st.Running, st.Deaths, st.Ended)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "worker\tpid\titems\tstarting\tset-up\twaiting\tworking\tMiB\tstate\t\n")
	line := func(s WorkerStats) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%v\t%v\t%v\t%v\t%.1f\t%s\t\n", s.Name, s.PID, s.Items, short(s.Starting), short(s.SettingUp),
			short(s.Waiting), short(s.Working), float64(s.RSS)/(1<<20), s.State)
	}
	for _, s := range st.Workers {
		line(s)
	}
	if st.Deaths+st.Ended > 0 {
		st.Gone.Name, st.Gone.State = "earlier ones", "gone"
		line(st.Gone)
	}
	_ = w.Flush()
	if len(st.Slowest) > 0 {
		b.WriteString("slowest:\n")
	}
	for _, s := range st.Slowest {
		which := fmt.Sprintf("item %d", s.Index)
		if s.Count > 1 {
			which = fmt.Sprintf("items %d to %d, each", s.Index, s.Index+s.Count-1)
		}
		fmt.Fprintf(&b, "  %v  %s of %s (%s)\n", short(s.Took), which, s.Task, s.Arg)
	}
	return b.String()
}

// short is a duration with three digits.
func short(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// skipOne is how many bytes the first argument has, with its size if it begins with
// that.
func skipOne(b []byte, size int) int {
	if size < 0 {
		return skipArguments(b, 1)
	}
	return min(size, len(b))
}
