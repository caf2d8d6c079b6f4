// Package client is the client's side of package manager, for programs that
// only connect: it links no server. A manager.Manager is a client.Manager, so
// the two packages can be mixed.
//
//	m, err := client.Dial(ctx, "/run/stock", client.Options{AuthkeyFile: "/etc/stock.key"})
//	d, err := mp.NewDict[string, int](mp.In(m), mp.WithName("stock"))
//
// A program that imports it can also open handles to the objects of managers
// that arrive in the arguments of its tasks, and in queues and pipes.
//
// What holds for objects, sessions and their ends is told in package manager.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"log/slog"

	impl "multiproc/internal/client"
	"multiproc/mp"
)

// Manager is a session with a server, made by Dial or Start: the place to give
// to mp.In. What it opens and locks belongs to the session and is given back
// when that ends, by Close or because this process dies.
//
// It uses one connection for any number of calls at once. If that breaks, it
// makes another and the session goes on: calls under way are carried out once,
// locks stay held, and new calls wait. The session is lost if there is no
// connection within the server's Limits.Grace, or the server has ended: then
// calls under way return errors that wrap mp.ErrUnknownFate, and the next call
// begins a new session. Handles go on working where the server still has the
// object, which without a name or another holder it has not: they return
// mp.ErrNoHandle. Locks that were held are lost, and the next owners are told.
//
// A call whose context ends asks the server to give it up, and returns when
// the server has answered, so that an error means that nothing happened. A
// server that does not answer within two seconds makes it ErrUnknownFate. Calls
// without a context end when the server answers, or when it has said nothing for
// nine seconds and cannot be reached within its grace.
//
// All methods are safe for concurrent use. The zero Manager is not usable.
// A Manager does not travel to other processes; handles to its objects do.
//
// Its methods are
//
//	Address() string    the address that was dialled, in the form that Dial takes
//	Authkey() []byte    a copy of the key, for other clients of the server
//	Close() error       ends the session: calls under way return mp.ErrClosed, locks are given up
//	Shutdown(ctx) error ends the server, whoever started it, for all of its clients
//	Objects(ctx) (int, error)    how many objects have users, Python's number_of_objects
//	Debug(ctx) (string, error)   a text about the objects, Python's debug_info
//	Names(ctx) ([]Named, error)  the objects that have names
//	List(ctx) ([]Listed, error)  and what is in them, and who waits
//
// and Open and Extract, which are for package mp.
type Manager = impl.Manager

// Named is an object that has a name: the fields Name and Type, its type id, are
// strings.
type Named = impl.Named

// Listed is what List says of a named object: beside the fields of Named, Size is
// the number of items in it, -1 if it is nothing that holds items, Cap its bound
// or 0, and Waiting the number of calls that wait in it.
type Listed = impl.Listed

// Object is a handle to an object of any type: one that the server registered,
// or one of Python's that has no typed face in package mp, such as "Pool". Its
// methods are called by name, with Call. It is made by New, and by Call where
// the result is an object; it can be an argument of Call, too. Type returns its
// type id.
//
// All methods are safe for concurrent use. Close it when it is no longer
// needed. The zero Object is good for nothing.
type Object = impl.Object

// Error is what the server, or the code of a registered type, answered a call
// with: nothing happened, as far as that code keeps to the rule. errors.Is
// finds the sentinels that the original error wrapped and that this program
// knows, such as mp.ErrNoKey, io.EOF or one of mp.RegisterError.
//
// Its fields are
//
//	Object  string // whose method it was: "dict orders"
//	Method  string
//	Class   string // as Python names it, with its module: "builtins.KeyError"
//	Args    []any  // the arguments of the exception
//	Message string
type Error = impl.Error

// Options configure Dial. The zero value works where the server's key is in the
// environment. An Options is not changed by Dial, and printing it does not show
// the key.
type Options struct {
	// Authkey is the secret that server and clients share. Nil: the contents of
	// AuthkeyFile; else $MP_AUTHKEY; else the key that this process has made for
	// a server of its own. The slice is copied. An empty one is an error.
	Authkey []byte `json:"-"` // not for those who write down all their options, either
	// AuthkeyFile names a file that holds the key. One line feed at its end does
	// not belong to it. Empty: none.
	AuthkeyFile string
	// TLS encrypts the connection, as crypto/tls.Client does. Nil: no TLS.
	TLS *tls.Config
	// Name names the client to the server, for its debugging output. Empty: the
	// program's name.
	Name string
}

// Format prints the options without the key, whatever the verb.
func (o Options) Format(f fmt.State, _ rune) {
	key := "none"
	if o.Authkey != nil {
		key = "given"
	}
	_, _ = fmt.Fprintf(f, "{Authkey:%s AuthkeyFile:%q TLS:%t Name:%q}", key, o.AuthkeyFile, o.TLS != nil, o.Name)
}

// LogValue is what log/slog writes of the options: no key.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// Dial connects to a server at an address in the forms of manager.Listen. ctx
// bounds the connecting only, which takes ten seconds at most. A wrong key is an
// error that wraps mp.ErrAuth.
func Dial(ctx context.Context, address string, o Options) (*Manager, error) {
	return impl.Dial(ctx, address, impl.Options{Authkey: o.Authkey, AuthkeyFile: o.AuthkeyFile, TLS: o.TLS, Name: o.Name})
}

// UseTLS tells this process how to connect to the server at address, where
// handles to its objects arrive and the program has not dialled it: a
// configuration cannot travel with a handle. address is the one that the
// handle's sender dialled. A nil config takes the word back.
func UseTLS(address string, config *tls.Config) { impl.UseTLS(address, config) }

// New makes an object of a type that the server knows: one of manager.Register
// there, or one of Python's SyncManager. It calls the constructor with args,
// which may be all that package mp can put into a shared dict. An error of the
// constructor is an *Error.
func New(ctx context.Context, m *Manager, typeid string, args ...any) (*Object, error) {
	return impl.New(ctx, m, typeid, args...)
}

// Call calls a method of an object and returns its result as an R: a Go type
// that the result fits, any for whatever it is, mp.None if it does not matter,
// *Object for a result that is an object. Several results of a Go method come
// as a struct of as many fields, or a slice. An error that the method returned,
// or a Python exception, is an *Error.
func Call[R any](ctx context.Context, o *Object, method string, args ...any) (R, error) {
	var result R
	if _, nothing := any(result).(mp.None); nothing {
		return result, impl.Do(ctx, o, method, args...)
	}
	return impl.Call[R](ctx, o, method, args...)
}

// Iterate draws from an iterator: an object that a method or a constructor
// returned which makes an iter.Seq, or a Python iterator. An error is the last
// pair. It does not close the object.
func Iterate[T any](ctx context.Context, o *Object) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := Call[T](ctx, o, "__next__")
			var e *Error
			if errors.As(err, &e) && e.Class == "builtins.StopIteration" {
				return
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}
