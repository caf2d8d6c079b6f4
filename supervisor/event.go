package supervisor

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"multiproc/mp"
)

// Event is something that has happened to a service, or to the supervisor
// itself, whose events name no service.
type Event struct {
	Time    time.Time
	Kind    EventKind
	Service string
	PID     int           // of the process, 0 for a Func
	Err     error         // why it ended, or could not be started; nil if it returned nil
	Delay   time.Duration // Restarting: how long the supervisor waits before
	Restart int           // Started: how often it was started again before this
}

// EventKind is what has happened.
type EventKind int

const (
	// Started: the service runs. If it has Ready, it is not ready yet.
	Started EventKind = iota
	// Ready: the function of Service.Ready has returned nil.
	Ready
	// StartFailed: it could not be started.
	StartFailed
	// Ended: it has ended by itself, or was killed by somebody.
	Ended
	// Stopped: it has ended because the supervisor asked it to.
	Stopped
	// Restarting: it will be started again after Delay.
	Restarting
	// Finished: it has ended, and will not be started again.
	Finished
	// GaveUp: there were too many restarts; all services are stopped.
	GaveUp
)

var kinds = [...]string{"started", "ready", "start failed", "ended", "stopped", "restarting", "finished", "gave up"}

// String says it in a word or two.
func (k EventKind) String() string {
	if k < 0 || int(k) >= len(kinds) {
		return fmt.Sprintf("EventKind(%d)", int(k))
	}
	return kinds[k]
}

// String is a line for people.
func (e Event) String() string {
	s := e.Kind.String()
	if e.Service != "" {
		s = e.Service + " " + s
	}
	if e.PID != 0 {
		s += fmt.Sprintf(" (pid %d)", e.PID)
	}
	if e.Kind == Restarting && e.Delay > 0 {
		s += fmt.Sprintf(" in %v", e.Delay)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Log returns an observer that writes events to a logger: failures as warnings,
// giving up as an error, everything else as information.
func Log(l *slog.Logger) func(Event) {
	return func(e Event) {
		level := slog.LevelInfo
		switch {
		case e.Kind == GaveUp:
			level = slog.LevelError
		case e.Kind == StartFailed || e.Err != nil && e.Kind != Stopped:
			level = slog.LevelWarn
		}
		var attrs []slog.Attr
		if e.Service != "" {
			attrs = append(attrs, slog.String("service", e.Service))
		}
		if e.PID != 0 {
			attrs = append(attrs, slog.Int("pid", e.PID))
		}
		if e.Kind == Started && e.Restart > 0 {
			attrs = append(attrs, slog.Int("restart", e.Restart))
		}
		if e.Kind == Restarting {
			attrs = append(attrs, slog.Duration("delay", e.Delay))
		}
		if e.Err != nil {
			attrs = append(attrs, slog.Any("error", e.Err))
		}
		l.LogAttrs(context.Background(), level, e.Kind.String(), attrs...)
	}
}

// stream hands events to those who watch.
type stream struct {
	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

// watcher keeps what its loop has not come to yet.
type watcher struct {
	events chan Event
	lost   chan struct{} // closed when there was no room
}

// backlog is how many events a loop over Watch may be behind.
const backlog = 1024

func (s *stream) send(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		select {
		case w.events <- e:
		default:
			close(w.lost)
			delete(s.watchers, w)
		}
	}
}

// watch yields what is sent after it has returned.
func (s *stream) watch(ctx context.Context) iter.Seq2[Event, error] {
	w := &watcher{events: make(chan Event, backlog), lost: make(chan struct{})}
	s.mu.Lock()
	if s.watchers == nil {
		s.watchers = map[*watcher]struct{}{}
	}
	s.watchers[w] = struct{}{}
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		delete(s.watchers, w)
		s.mu.Unlock()
	}
	stop := context.AfterFunc(ctx, leave)
	var begun atomic.Bool
	return func(yield func(Event, error) bool) {
		if begun.Swap(true) {
			yield(Event{}, mp.ErrClosed)
			return
		}
		defer leave()
		defer stop()
		for {
			select {
			case e := <-w.events: // also what came before ctx ended, or before others were lost
				if !yield(e, nil) {
					return
				}
				continue
			default:
			}
			select {
			case e := <-w.events:
				if !yield(e, nil) {
					return
				}
			case <-w.lost:
				if len(w.events) == 0 {
					yield(Event{}, mp.ErrOverrun)
					return
				}
			case <-ctx.Done():
				if len(w.events) == 0 {
					yield(Event{}, context.Cause(ctx))
					return
				}
			}
		}
	}
}
