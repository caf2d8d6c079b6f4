//go:build linux

package mp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mptest"
)

type files struct {
	In, Out, None *os.File
	List          []*os.File
	Any           any
	W             io.Writer
}

// UseFiles reads In to its end, writes what it read to all others, and returns
// a pipe of its own.
var UseFiles = mp.Func(useFiles)

func useFiles(_ context.Context, f files) (*os.File, error) {
	if f.None != nil {
		return nil, errors.New("a nil file arrived as one")
	}
	text, err := io.ReadAll(f.In)
	if err != nil {
		return nil, err
	}
	for _, w := range append([]io.Writer{f.Out, f.Any.(*os.File), f.W}, f.List[0]) {
		if _, err := w.Write(text); err != nil {
			return nil, err
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Close() }()
	_, err = w.WriteString("made by a child")
	return r, err
}

// readAll reads a pipe to its end, which comes when nobody has the other end.
func readAll(t testing.TB, r *os.File) string {
	t.Helper()
	must(t, r.SetReadDeadline(time.Now().Add(30*time.Second)))
	b, err := io.ReadAll(r)
	must(t, err)
	return string(b)
}

func TestFilesInArgumentsAndResults(t *testing.T) {
	in, give := osPipe(t)
	take, out := osPipe(t)
	p := start(t, UseFiles, files{In: in, Out: out, List: []*os.File{out}, Any: out, W: out})
	get(give.WriteString("x"))(t)
	must(t, give.Close())
	result := closing(t, get(p.Result(t.Context()))(t))
	if s := readAll(t, result); s != "made by a child" {
		t.Errorf("the child's pipe says %q", s)
	}
	get(out.WriteString("y"))(t) // the sender's own is as good as before
	must(t, out.Close())
	if s := readAll(t, take); s != "xxxxy" {
		t.Errorf("the files got %q", s)
	}
	must(t, in.Close())
	must(t, take.Close())
}

// ways are functions that send a value through memory, each in another way.
func ways[T any](t *testing.T) map[string]func(T) T {
	ctx := t.Context()
	q := queue[T](t, 0)
	a, b := pipe[T, mp.None](t)
	return map[string]func(T) T{
		"queue": func(v T) T { must(t, q.Put(ctx, v)); return get(q.Get(ctx))(t) },
		"try":   func(v T) T { must(t, q.TryPut(ctx, v)); return get(q.TryGet(ctx))(t) },
		"batch": func(v T) T { get(q.PutBatch(ctx, []T{v}))(t); return get(q.GetBatch(ctx, 1))(t)[0] },
		"pipe":  func(v T) T { must(t, a.Send(ctx, v)); return get(b.Recv(ctx))(t) },
	}
}

func TestFilesThroughMemory(t *testing.T) {
	fds := get(openFDs())(t)
	t.Run("ways", func(t *testing.T) {
		for way, send := range ways[*os.File](t) {
			r, w := osPipe(t)
			got := send(w)
			if got == w {
				t.Errorf("%s: the sender's own file came back", way)
			}
			must(t, w.Close())
			get(got.WriteString("x"))(t)
			must(t, got.Close())
			if s := readAll(t, r); s != "x" {
				t.Errorf("%s: %q", way, s)
			}
			must(t, r.Close())
			if f := send(nil); f != nil {
				t.Errorf("%s: nil became %v", way, f)
			}
		}
		for way, send := range ways[any](t) {
			f := get(os.Open("/dev/null"))(t)
			got := send(f).(*os.File)
			must(t, got.Close())
			must(t, f.Close())
			if f := send((*os.File)(nil)); f != (*os.File)(nil) {
				t.Errorf("%s: a nil *os.File in an any became %v", way, f)
			}
		}
	})
	mptest.Eventually(t, func() bool { return get(openFDs())(t) <= fds }, "no more than %d descriptors are open", fds)
}

func TestFileStaysWhatItIs(t *testing.T) {
	send := ways[*os.File](t)["queue"]
	name := filepath.Join(t.TempDir(), "a file")
	f := closing(t, get(os.Create(name))(t))
	got := closing(t, send(f))
	if got.Name() != name {
		t.Errorf("%q became %q", name, got.Name())
	}
	get(got.WriteString("0123"))(t)
	if at := get(f.Seek(0, io.SeekCurrent))(t); at != 4 {
		t.Errorf("the sender is at %d of the file, not where the receiver is", at)
	}
	conn := get(got.SyscallConn())(t)
	must(t, conn.Control(func(fd uintptr) {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0)
		if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
			t.Errorf("flags %#x, %v: programs that are started would inherit it", flags, errno)
		}
	}))
	// A pipe is in non-blocking mode, at both ends of the way.
	r, w := osPipe(t)
	defer func() { must(t, errors.Join(r.Close(), w.Close())) }()
	arrived := closing(t, send(r))
	for _, r := range []*os.File{arrived, r} {
		must(t, r.SetReadDeadline(time.Now()))
		_, err := r.Read(make([]byte, 1))
		wantErr(t, "read", err, os.ErrDeadlineExceeded)
	}
}

func TestClosedFileCannotTravel(t *testing.T) {
	f := get(os.Open("/dev/null"))(t)
	must(t, f.Close())
	q := queue[[]*os.File](t, 0)
	good, _ := osPipe(t)
	fds := get(openFDs())(t)
	for _, bad := range []*os.File{f, {}} {
		err := q.Put(t.Context(), []*os.File{good, bad})
		wantErr(t, "Put", err, mp.ErrClosed)
		if bad == f && !strings.Contains(err.Error(), "[]*os.File[1]: *os.File /dev/null: ") {
			t.Errorf("%v: does not say which", err)
		}
		wantErr(t, "Start", get2(UseFiles.Start(t.Context(), files{In: good, Out: bad})), mp.ErrClosed)
	}
	if n := get(q.Len(t.Context()))(t); n != 0 || len(mp.Children()) != 0 {
		t.Errorf("%d values were put, and %d processes are there", n, len(mp.Children()))
	}
	mptest.Eventually(t, func() bool { return get(openFDs())(t) <= fds }, "no more than %d descriptors are open", fds)
}

type putFile struct {
	Into  *mp.Queue[*os.File]
	File  *os.File
	Ready *mp.Queue[bool]
}

// PutFile puts a file into a queue and waits to be killed.
var PutFile = mp.Proc(func(ctx context.Context, p putFile) error {
	if err := p.Into.Put(ctx, p.File); err != nil {
		return err
	}
	if err := p.Ready.Put(ctx, true); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}, mp.Named("put-file"))

// ReturnFile returns the file that it is given.
var ReturnFile = mp.Func(func(_ context.Context, f *os.File) (*os.File, error) { return f, nil }, mp.Named("return-file"))

// HoldFiles has a handle until it is killed.
var HoldFiles = mp.Proc(func(ctx context.Context, _ *mp.Queue[*os.File]) error { <-ctx.Done(); return nil }, mp.Named("hold-files"))

// A file that nobody takes is closed: the reader of a pipe, all of whose writers
// went that way, comes to its end.
func TestFilesThatNobodyTakes(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, w *os.File){
		"the queue is closed": func(t *testing.T, w *os.File) {
			q := get(mp.NewQueue[*os.File](0))(t)
			must(t, q.Put(t.Context(), w))
			must(t, q.Close())
		},
		"the pipe is closed": func(t *testing.T, w *os.File) {
			a, b := pipe[*os.File, mp.None](t)
			must(t, a.Send(t.Context(), w))
			must(t, b.Close())
			must(t, a.Close())
		},
		"its putter and its last possible getter are killed": func(t *testing.T, w *os.File) {
			q, ready := get(mp.NewQueue[*os.File](0))(t), queue[bool](t, 0)
			putter := start(t, PutFile, putFile{q, w, ready})
			get(ready.Get(t.Context()))(t)
			must(t, putter.Kill())
			<-putter.Done()
			if n := get(q.Len(t.Context()))(t); n != 1 {
				t.Errorf("%d values outlived who put them", n)
			}
			holder := start(t, HoldFiles, q)
			must(t, q.Close())
			must(t, holder.Kill())
		},
		"a child has it and is killed": func(t *testing.T, w *os.File) {
			q, ready := queue[*os.File](t, 0), queue[bool](t, 0)
			p := start(t, PutFile, putFile{q, w, ready})
			must(t, get(q.Get(t.Context()))(t).Close())
			must(t, p.Kill())
		},
		"nobody reads the result": func(t *testing.T, w *os.File) {
			p := get(ReturnFile.Start(t.Context(), w))(t)
			must(t, p.Wait(t.Context()))
			p = nil
			mptest.Eventually(t, func() bool { runtime.GC(); return mp.Deposits() == 0 }, "the result was given back")
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := mp.Deposits()
			r, w := osPipe(t)
			lose(t, w)
			must(t, w.Close())
			if s := readAll(t, r); s != "" {
				t.Errorf("read %q", s)
			}
			must(t, r.Close())
			settled(t, before)
		})
	}
}

type spoiltFiles struct {
	Before *os.File
	Bad    spoilt
	Behind *os.File
}

// AnswerSpoiltFiles returns what its starter cannot decode.
var AnswerSpoiltFiles = mp.Func(func(_ context.Context, f *os.File) (spoiltFiles, error) {
	return spoiltFiles{Before: f, Behind: f}, nil
}, mp.Named("answer-spoilt-files"))

func TestFilesInSpoiltMessages(t *testing.T) {
	fds := get(openFDs())(t)
	r, w := osPipe(t)
	t.Run("queue and result", func(t *testing.T) {
		q := queue[spoiltFiles](t, 0)
		must(t, q.Put(t.Context(), spoiltFiles{Before: w, Behind: w}))
		if _, err := q.Get(t.Context()); err == nil || !strings.Contains(err.Error(), "spoilt on purpose") {
			t.Errorf("Get: %v", err)
		}
		if _, err := AnswerSpoiltFiles.Run(t.Context(), w); err == nil || !strings.Contains(err.Error(), "spoilt on purpose") {
			t.Errorf("Run: %v", err)
		}
	})
	must(t, w.Close())
	if s := readAll(t, r); s != "" {
		t.Errorf("read %q", s)
	}
	must(t, r.Close())
	mptest.Eventually(t, func() bool { return get(openFDs())(t) <= fds }, "no more than %d descriptors are open", fds)
}

// Where files cannot go, the error says so before anything is made.
func TestFilesStayInMemory(t *testing.T) {
	inPlaces(t, func(t *testing.T, p driver.Place) {
		for what, err := range map[string]error{
			"a queue":         get2(mp.NewQueue[*os.File](0, mp.In(p))),
			"a queue of more": get2(mp.NewQueue[files](0, mp.In(p))),
			"a dict":          get2(mp.NewDict[string, []*os.File](mp.In(p))),
			"a queue of any":  queue[any](t, 0, mp.In(p)).Put(t.Context(), os.Stdout),
			"any in an any":   queue[any](t, 0, mp.In(p)).Put(t.Context(), []any{os.Stdout}),
		} {
			if err == nil || !strings.Contains(err.Error(), "made without mp.In") {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
	wantPanic(t, "use *os.File", func() { mp.Func(echo[os.File], mp.Named("a")) })
	wantPanic(t, `import _ "multiproc/mp/mpnet"`, func() { mp.Func(echo[*net.TCPListener], mp.Named("a")) })
	if _, err := mp.NewValue[*os.File](nil); err == nil || !strings.Contains(err.Error(), "can live in shared memory") {
		t.Errorf("NewValue: %v", err)
	}
}
