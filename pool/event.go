package pool

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Event is something that has happened in a pool; see Options.Observe and
// Call.Observe.
type Event struct {
	Time   time.Time
	Kind   EventKind
	Worker string // name of the worker that it happened to, or in
	PID    int    // of that
	Task   string // name of the task, for what concerns a call or its items
	Call   int    // number of the call, from 1
	Index  int    // ItemRetried: of the item
	Count  int    // ItemsDone: how many items have a result now, or an error, that had none before
	Failed int    // ItemsDone: how many of them have an error
	Delay  time.Duration
	Err    error
}

// EventKind is what has happened.
type EventKind int

const (
	// WorkerStarted: there is a new process.
	WorkerStarted EventKind = iota
	// WorkerReady: it is set up, and takes items.
	WorkerReady
	// WorkerEnded: it is gone. Err is nil if the pool wanted it to end.
	WorkerEnded
	// StartFailed: a worker could not be started.
	StartFailed
	// CallBegan: somebody calls Map, Each or Submit.
	CallBegan
	// ItemsDone: some items of a call have results, or errors.
	ItemsDone
	// ItemRetried: an item whose worker has died will run again, after Delay.
	ItemRetried
	// CallEnded: the call has all its results, or was given up; then Err says why,
	// ErrGivenUp if the loop was left.
	CallEnded
)

var kindNames = [...]string{
	"worker started", "worker ready", "worker ended", "start failed", "call began", "items done", "item retried", "call ended",
}

// String says it in two words.
func (k EventKind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("EventKind(%d)", int(k))
	}
	return kindNames[k]
}

// Log returns an observer that writes events to a logger: what has gone wrong as
// warnings, and everything else as information but for ItemsDone and CallBegan,
// which are for debugging.
func Log(l *slog.Logger) func(Event) {
	return func(e Event) {
		level := slog.LevelInfo
		switch {
		case e.Kind == ItemRetried, e.Kind == StartFailed, e.Kind == WorkerEnded && e.Err != nil, e.Failed > 0:
			level = slog.LevelWarn
		case e.Kind == ItemsDone, e.Kind == CallBegan:
			level = slog.LevelDebug
		}
		if !l.Enabled(context.Background(), level) {
			return
		}
		var attrs []slog.Attr
		if e.Worker != "" {
			attrs = append(attrs, slog.String("worker", e.Worker), slog.Int("pid", e.PID))
		}
		if e.Task != "" {
			attrs = append(attrs, slog.String("task", e.Task))
		}
		switch e.Kind {
		case ItemRetried:
			attrs = append(attrs, slog.Int("item", e.Index), slog.Duration("delay", e.Delay))
		case ItemsDone:
			attrs = append(attrs, slog.Int("items", e.Count), slog.Int("failed", e.Failed))
		}
		if e.Err != nil {
			attrs = append(attrs, slog.Any("error", e.Err))
		}
		l.LogAttrs(context.Background(), level, e.Kind.String(), attrs...)
	}
}

// event notes something for the observers. mu is held.
func (p *Pool) event(s *stream, e Event) {
	if p.o.Observe == nil && (s == nil || s.c.Observe == nil) {
		return
	}
	e.Time = time.Now()
	if s != nil {
		e.Task, e.Call = s.job.Task, s.number
	}
	p.noted++
	p.events = append(p.events, observed{s, e})
}

// observed is an event with the call that it belongs to, nil for none.
type observed struct {
	s *stream
	e Event
}

// observe tells the observers what was noted, unless another goroutine is at it,
// which then goes on. So an observer may ask the pool for something. mu is not held.
func (p *Pool) observe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.telling {
		return
	}
	p.telling = true
	defer func() { p.telling = false }()
	for len(p.events) > 0 {
		events := p.events
		p.events = nil
		p.tellAll(events)
	}
}

// tellAll tells the observers of some events, without the lock, which is held before
// and after, also if an observer panics.
func (p *Pool) tellAll(events []observed) {
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.told += len(events)
		p.tell()
	}()
	for _, o := range events {
		if f := p.o.Observe; f != nil {
			f(o.e)
		}
		if o.s != nil && o.s.c.Observe != nil {
			o.s.c.Observe(o.e)
		}
	}
}
