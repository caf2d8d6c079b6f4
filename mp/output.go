package mp

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// output feeds what a child writes to writers that are no files.
type output struct {
	stdout, stderr *os.File // what the child gets; nil: what we have
	theirs         []*os.File
	ours           []*os.File
	copying        sync.WaitGroup
}

func newOutput(o *StartOptions) (*output, error) {
	out := &output{}
	var err error
	if out.stdout, err = out.file(o.Stdout); err != nil {
		return nil, err
	}
	if o.Stderr != nil && sameWriter(o.Stdout, o.Stderr) {
		out.stderr = out.stdout // one pipe, so that the order is kept
		return out, nil
	}
	if out.stderr, err = out.file(o.Stderr); err != nil {
		out.started()
		out.finish()
		return nil, err
	}
	return out, nil
}

// sameWriter compares two writers; some types cannot be compared.
func sameWriter(a, b io.Writer) bool {
	defer func() { _ = recover() }()
	return a == b
}

func (out *output) file(w io.Writer) (*os.File, error) {
	if w == nil {
		return nil, nil
	}
	if f, ok := w.(*os.File); ok {
		return f, nil
	}
	r, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out.theirs = append(out.theirs, theirs)
	out.ours = append(out.ours, r)
	out.copying.Go(func() {
		if _, err := io.Copy(w, r); err != nil && !errors.Is(err, os.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
			// The writer refuses: keep the child from blocking.
			_, _ = io.Copy(io.Discard, r)
		}
	})
	return theirs, nil
}

// started gives back the child's ends of the pipes.
func (out *output) started() {
	for _, f := range out.theirs {
		_ = f.Close()
	}
	out.theirs = nil
}

// outputDelay is how long finish waits for a pipe that a process which is not
// ours still holds open.
const outputDelay = time.Second

// finish waits until all that the child wrote was copied.
func (out *output) finish() {
	for _, f := range out.ours {
		_ = f.SetReadDeadline(time.Now().Add(outputDelay))
	}
	out.copying.Wait()
	for _, f := range out.ours {
		_ = f.Close()
	}
}
