package manager

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"multiproc/internal/server"
)

// Options configure Serve, Start and Dial. The zero value works; each of the
// three uses the fields that concern it. An Options is not changed by the
// functions it is given to, and printing it does not show the key.
type Options struct {
	// Address is where Start's server listens, in the forms of Listen. Empty: an
	// abstract Unix socket with a name that nobody can guess. Serve and Dial do
	// not use it.
	Address string

	// Authkey is the secret that server and clients must share, Python's
	// authkey. Nil: the contents of AuthkeyFile; else $MP_AUTHKEY; else Start
	// makes a random one for the new server, Serve one for the process (see the
	// function Authkey), which Dial uses in that process; elsewhere Dial fails.
	// The slice is copied. An empty one is an error.
	Authkey []byte `json:"-"` // not for those who write down all their options, either
	// AuthkeyFile names a file that holds the key. A server logs a warning if
	// others than its owner may read it. One line feed at its end
	// does not belong to it. Empty: none.
	AuthkeyFile string

	// TLS encrypts connections: Serve uses it as crypto/tls.Server does, Dial
	// as crypto/tls.Client does. Certificates are checked in addition to the
	// key. Nil: no TLS, which Python clients require. Start refuses it.
	TLS *tls.Config

	// Limits bound what clients may use of a server. Zero: see Limits.
	Limits Limits

	// RefuseOpaque makes the server refuse Python objects of classes that it
	// does not know, whoever sends them, and the names of classes and functions
	// that are not Python's own. Otherwise it keeps them unread and hands them
	// back as they came.
	RefuseOpaque bool

	// Objects are named objects that Serve makes before the first client comes,
	// so that Python programs alone can meet there: Python asks for a name as for
	// a type. Start and Dial do not use it.
	Objects []Preset

	// Log is told of refused connections, panics of registered types and the
	// like. Nil: slog.Default(). The key is never logged.
	Log *slog.Logger

	// Name names a client to the server, for its debugging output, and the
	// process of Start. Empty: the program's name.
	Name string
}

// Preset is a named object of Options.Objects: Type is its type id in Python,
// such as "Queue" or "dict", and Args are the arguments of that type there: nil,
// bool, int64, float64 or string each.
type Preset = server.Preset

// Limits bound what clients can use of a server; what goes beyond fails with
// an error that wraps mp.ErrLimit, or is cut off. In each field 0 stands for
// the default and a negative number for no limit.
type Limits struct {
	// Frame is the size of the largest message, in bytes; a larger one is read
	// past, and its call fails with an error that wraps mp.ErrTooLarge, a
	// ValueError in Python. Default: 1 GiB, which takes a data frame of a
	// hundred million numbers, is as much as pymp accepts of a server, and half
	// of what a message can hold. The values in a message may take sixteen times
	// as much memory as the message, up to 1 GiB or twice Frame, and no more
	// than Bytes.
	Frame int
	// Objects is how many objects there may be. Default: one million.
	Objects int
	// Bytes is how much memory the server may use for its clients: for what they
	// keep in objects, for calls that wait, messages on their way in and out, and
	// the work with them. It is charged before it is allocated. Values and
	// waiting calls may take three quarters of it, the rest is for work. Of the last
	// eighth of either a client may hold no more than a 64th, so that one who
	// takes all that he can get leaves something to the others.
	//
	// A process that does nothing but serve stays within 1.3 times the limit and
	// some 15 MiB: those of Start and of mp serve do, by Go's memory limit (see
	// runtime/debug.SetMemoryLimit), which is a program's own business where it
	// calls Serve. Default: half of the memory that the process may use, by the
	// machine, its control group and its own limits.
	Bytes int64
	// Connections is how many clients may be connected at once; further ones
	// are turned away. Those that HalfOpen bounds are not among them. Default:
	// 10 000, or less if the process may not have so many open files.
	Connections int
	// HalfOpen is how many connections may be there that have not proved yet
	// to know the key. Beyond that one of the older half is dropped, at random; no
	// address has more than half of the places then. So whoever proves itself
	// before half as many have come behind it gets in. Each takes some 10 KiB.
	// Default: 8192, or less if the process may not have so many open files, or
	// if they would take more than an eighth of Bytes.
	HalfOpen int
	// Handshake is how long a connection has to prove that it knows the key.
	// Default: 5 seconds.
	Handshake time.Duration
	// Grace is how long the server keeps the session of a Go client whose
	// connection has broken: its locks, its references, calls that wait, and the
	// answers that have not come to it. The client resumes the session by itself
	// when it can connect again. A client whose process is known to be dead gets
	// none. Default: 10 seconds. Negative: none, so that sessions end with
	// their connections.
	Grace time.Duration
	// Waiting is how many calls of one client may be under way at once.
	// Default: 65 536.
	Waiting int
	// Depth is how deep values may be nested. Default: 1000.
	Depth int
}

// Format prints the options without the key, whatever the verb.
func (o Options) Format(f fmt.State, _ rune) {
	key := "none"
	if o.Authkey != nil {
		key = "given"
	}
	_, _ = fmt.Fprintf(f, "{Address:%q Authkey:%s AuthkeyFile:%q TLS:%t Name:%q}", o.Address, key, o.AuthkeyFile, o.TLS != nil, o.Name)
}

// LogValue is what log/slog writes of the options: no key.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }
