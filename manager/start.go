package manager

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	impl "multiproc/internal/client"
	"multiproc/internal/endpoint"
	"multiproc/internal/server"
	"multiproc/mp"
)

// startArgs is what the process of Start is told. It travels in the arguments
// of a task, which nobody but the child can read: not in its command line or
// environment.
type startArgs struct {
	Address string
	Key     []byte
	Limits  Limits
	Refuse  bool
	// Ready takes the address of the listener, or nothing if there is none: the
	// task's error says why.
	Ready *mp.Conn[string, mp.None]
}

var serverTask = mp.Proc(serveTask, mp.Named("multiproc/manager.Serve"))

// serveTask is the server's process.
func serveTask(ctx context.Context, a startArgs) error {
	defer func() { _ = a.Ready.Close() }()
	l, err := server.Listen(a.Address)
	if err != nil {
		return err
	}
	if err := a.Ready.Send(ctx, server.AddressOf(l)); err != nil {
		_ = l.Close()
		return fmt.Errorf("tell the address: %w", err)
	}
	_ = a.Ready.Close()
	LimitMemory(a.Limits)
	return Serve(ctx, l, Options{Authkey: a.Key, Limits: a.Limits, RefuseOpaque: a.Refuse})
}

// Start starts a server in a process of its own, as multiprocessing.Manager()
// does, and connects to it. It returns when the server is ready. ctx is the
// server's life, as it is a process's: it ends when ctx does, with the process
// that started it, when a client asks for shutdown, and when the Manager that
// Start returned is closed. It does not end by a signal from outside, such as
// SIGTERM to the whole process group or control group: the program that started
// it decides when, after its workers for example. When that program is gone the
// server goes on until its other children are gone too, half a second at most.
//
// The program calls mp.Init first in main. What it registers while packages
// are initialized, or before Init, the server offers. The server logs to
// slog's default logger in its own process, which writes to standard error.
//
// Cost: that of a process, some 10 ms.
func Start(ctx context.Context, o Options) (*Manager, error) {
	m, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start a manager: %w", err)
	}
	return m, nil
}

func start(ctx context.Context, o Options) (*Manager, error) {
	if o.TLS != nil {
		return nil, errors.New("a TLS configuration cannot be handed to another process: call Serve in a task of your own")
	}
	key, err := endpoint.Secret{Key: o.Authkey, File: o.AuthkeyFile}.Given()
	if err != nil {
		return nil, err
	}
	if key == nil {
		key = freshKey()
	}
	o.Authkey = key
	if o.Address == "" {
		if o.Address, err = freshAddress(); err != nil {
			return nil, err
		}
	}
	ready, told, err := mp.PipeOneWay[string]()
	if err != nil {
		return nil, err
	}
	defer func() { _ = ready.Close() }()
	p, err := serverTask.With(mp.StartOptions{Name: o.Name, IgnoreSignals: true}).Start(ctx, startArgs{o.Address, key, o.Limits, o.RefuseOpaque, told})
	if err != nil {
		_ = told.Close()
		return nil, err
	}
	address, err := ready.Recv(ctx)
	if err != nil {
		return nil, endStart(p, err)
	}
	m, err := Dial(ctx, address, o)
	if err != nil {
		return nil, endStart(p, err)
	}
	impl.OwnServer(m, func(ctx context.Context) error {
		p.Cancel(errClosed)
		return p.Wait(ctx)
	})
	return m, nil
}

// freshKey is $MP_AUTHKEY, or one of the new server's own: who knows that
// knows no other server's.
func freshKey() []byte {
	if s := os.Getenv(endpoint.EnvAuthkey); s != "" {
		return []byte(s)
	}
	return endpoint.RandomKey()
}

var errClosed = errors.New("the manager was closed by the one who started it")

// endStart ends a server that nobody will use, and says why there is none.
func endStart(p *mp.Process[mp.None], why error) error {
	p.Cancel(why)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := p.Wait(ctx); err != nil {
		return err
	}
	return why
}

// freshAddress is an address that no other server has. It has no file that
// could be left behind, and its peers' user is checked.
func freshAddress() (string, error) {
	if runtime.GOOS != "linux" {
		return "", fmt.Errorf("there is no private address on %s: set Options.Address: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	random := make([]byte, 12)
	_, _ = rand.Read(random) // never fails
	return "@multiproc-" + hex.EncodeToString(random), nil
}

// Format prints the task's arguments without the key, whatever the verb.
func (a startArgs) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "server at %s", a.Address) }

// LogValue is what log/slog writes of the arguments: no key.
func (a startArgs) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(a)) }
