package mp

import (
	"context"
	"os"
	"sync"
	"time"
)

// spares are processes that were started ahead of time and wait for a task.
var spares struct {
	sync.Mutex
	want    int
	ready   []spare
	filling bool
}

// spare is a process with the files that it writes to.
type spare struct {
	*launch
	stdout, stderr *os.File
}

// KeepSpares keeps n processes started ahead of time, so that Start costs a
// message and not an exec. They wait in Init: package initialization has run
// in them, main has not. Each takes the memory of an idle Go program, some
// megabytes. 0 ends them. It returns at once; spares start in the background,
// and each one that is used is replaced.
//
// A spare has the environment, directory and output files that this process
// had when the spare was started. Starts whose options say otherwise do not
// use one.
func KeepSpares(n int) error {
	f, err := theFamily()
	if err != nil {
		return err
	}
	s := &spares
	s.Lock()
	s.want = max(n, 0)
	var surplus []spare
	if len(s.ready) > s.want {
		surplus = s.ready[s.want:]
		s.ready = s.ready[:s.want:s.want]
	}
	fill(f, os.Stdout, os.Stderr)
	s.Unlock()
	for _, l := range surplus {
		l.discard()
	}
	return nil
}

// refillDelay is how long after a spare was used the next one is started.
const refillDelay = 2 * time.Millisecond

// fill starts the goroutine that makes the missing spares, unless it runs.
// The lock is held. stdout and stderr are the program's at the time of its own
// call: between calls it may set others.
func fill(f *family, stdout, stderr *os.File) {
	s := &spares
	if s.filling || len(s.ready) >= s.want {
		return
	}
	s.filling = true
	go func() {
		for {
			l, err := newLaunch(context.Background(), f, &StartOptions{Stdout: stdout, Stderr: stderr}, "spare")
			s.Lock()
			surplus := err == nil && len(s.ready) >= s.want // KeepSpares was called meanwhile
			if err == nil && !surplus {
				s.ready = append(s.ready, spare{l, stdout, stderr})
			}
			// After an error the next Start tries again.
			s.filling = err == nil && len(s.ready) < s.want
			more := s.filling
			s.Unlock()
			if surplus {
				l.discard()
			}
			if !more {
				return
			}
		}
	}()
}

// launchOrSpare returns a process that waits for its task.
func launchOrSpare(ctx context.Context, f *family, o *StartOptions, name string) (*launch, error) {
	if o.NoSpare || o.Stdout != nil || o.Stderr != nil || o.Env != nil || o.Dir != "" {
		return newLaunch(ctx, f, o, name)
	}
	if l := takeSpare(f); l != nil {
		l.spare = true
		f.table.Rename(l.ref, name)
		return l, nil
	}
	return newLaunch(ctx, f, o, name)
}

func takeSpare(f *family) *launch {
	s := &spares
	stdout, stderr := os.Stdout, os.Stderr
	for {
		s.Lock()
		if len(s.ready) == 0 {
			fill(f, stdout, stderr)
			s.Unlock()
			return nil
		}
		l := s.ready[0]
		s.ready = s.ready[1:]
		same := l.stdout == stdout && l.stderr == stderr
		// Not at once: the task that begins now should not share the
		// processors with the start of its successor.
		time.AfterFunc(refillDelay, func() {
			s.Lock()
			defer s.Unlock()
			fill(f, stdout, stderr)
		})
		s.Unlock()
		if same && l.alive() {
			return l.launch
		}
		l.discard()
	}
}

func (l *launch) alive() bool {
	select {
	case <-l.process.Done():
		return false
	default:
		return true
	}
}
