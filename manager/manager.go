package manager

import (
	"context"
	"crypto/tls"
	"iter"
	"net"

	place "multiproc/internal/client"
	"multiproc/internal/endpoint"
	"multiproc/internal/server"
	"multiproc/manager/client"
)

// Manager is a session with a server, made by Dial or Start: the place to give
// to mp.In. If Start made it, its Close ends the server's process as well; else
// see client.Manager for all that it does.
type Manager = client.Manager

// The types of package client.
type (
	// Named is an object that has a name.
	Named = client.Named
	// Object is a handle to an object of any type.
	Object = client.Object
	// Error is what the server, or the code of a registered type, answered a
	// call with.
	Error = client.Error
)

// Dial connects to a server, which Serve, Start or the command mp runs, at an
// address in the forms of Listen. It uses the options Authkey, AuthkeyFile,
// TLS and Name. ctx bounds the connecting only, which takes ten seconds at
// most. A wrong key is an error that wraps mp.ErrAuth.
func Dial(ctx context.Context, address string, o Options) (*Manager, error) {
	return client.Dial(ctx, address, client.Options{Authkey: o.Authkey, AuthkeyFile: o.AuthkeyFile, TLS: o.TLS, Name: o.Name})
}

// UseTLS is client.UseTLS: it tells this process how to connect to a server to
// whose objects handles arrive.
func UseTLS(address string, config *tls.Config) { client.UseTLS(address, config) }

// New is client.New: it makes an object of a type that the server knows.
func New(ctx context.Context, m *Manager, typeid string, args ...any) (*Object, error) {
	return client.New(ctx, m, typeid, args...)
}

// Call is client.Call: it calls a method of an object and returns its result as
// an R, mp.None if that does not matter.
func Call[R any](ctx context.Context, o *Object, method string, args ...any) (R, error) {
	return client.Call[R](ctx, o, method, args...)
}

// Iterate is client.Iterate: it draws from an iterator that a method or a
// constructor returned.
func Iterate[T any](ctx context.Context, o *Object) iter.Seq2[T, error] {
	return client.Iterate[T](ctx, o)
}

// EnvAuthkey is the environment variable that holds the key of servers and
// clients that are given none.
const EnvAuthkey = endpoint.EnvAuthkey

// Authkey returns the key that servers of this process use which are given
// none: $MP_AUTHKEY, or else 32 random bytes in hexadecimal digits, so that an
// environment can carry them, made once for the life of the process; clients in this process use it as well. It is like the authkey of
// Python's current_process(). Hand it to other processes on a private way
// only, such as the arguments of a task. The result is the caller's.
func Authkey() []byte { return endpoint.Authkey() }

// Listen makes a listener for Serve. The forms of address are
//
//	host:port, [::1]:0   TCP, IPv4 or IPv6; port 0 is any free one
//	/run/orders, ./sock  a Unix socket: what contains a slash
//	@orders              a Unix socket in the abstract namespace of Linux
//
// A Unix socket is for this user (and root) only: its file has mode 0600 from
// its first moment on, and peers of other users, whom nothing else keeps from
// an abstract socket, are turned away as they connect. The socket of a server
// that died is replaced; one on which somebody listens is an error. Closing
// the listener removes the file.
func Listen(address string) (net.Listener, error) { return server.Listen(address) }

// AddressOf is the address of a listener in the form that Listen and Dial
// take: with the port that was chosen, for example.
func AddressOf(l net.Listener) string { return server.AddressOf(l) }

// Serve is a manager: it accepts connections from l and keeps objects for
// those who know the key, until ctx ends or a client asks for shutdown; then
// it returns nil. It closes l and ends all connections before it returns, and
// the objects are gone. An error is the listener's, or that of an option.
//
// l is one of Listen's, or any other that accepts stream connections.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	return server.Serve(ctx, l, o.server())
}

// LimitMemory makes Go's garbage collector keep this process near the limit
// that a server with these Limits has, for processes that do nothing but
// serve: the one of Start and the command mp have called it. A memory limit
// that was set already, by $GOMEMLIMIT for example, stays if it is lower. It
// does nothing for Limits without a limit.
func LimitMemory(l Limits) { server.LimitMemory(server.Limits(l)) }

func (o *Options) server() server.Options {
	return server.Options{
		Authkey: o.Authkey, AuthkeyFile: o.AuthkeyFile, TLS: o.TLS,
		Handles: place.Served,
		Limits:  server.Limits(o.Limits), RefuseOpaque: o.RefuseOpaque, Log: o.Log, Objects: o.Objects,
	}
}
