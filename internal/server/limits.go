package server

import (
	"crypto/tls"
	"log/slog"
	"math"
	"runtime/debug"
	"time"

	"multiproc/internal/budget"
	"multiproc/internal/codec"
	"multiproc/internal/endpoint"
)

// Options are those of manager.Options that concern a server: see there.
type Options struct {
	Authkey      []byte
	AuthkeyFile  string
	TLS          *tls.Config
	Limits       Limits
	RefuseOpaque bool
	Log          *slog.Logger // nil: slog.Default()

	// Handles carries the handles that the program's own code returns to objects of
	// the store that has this identity. Nil: it can return none.
	Handles func(store [16]byte) codec.Exporter
	Objects []Preset
}

// Limits are manager.Limits, field by field: see there.
type Limits struct {
	Frame       int
	Objects     int
	Bytes       int64
	Connections int
	HalfOpen    int
	Handshake   time.Duration
	Grace       time.Duration
	Waiting     int
	Depth       int
}

// Default limits.
const (
	defaultFrame       = 1 << 30
	defaultObjects     = 1_000_000
	defaultConnections = 10_000
	defaultHalfOpen    = 8192
	defaultHandshake   = 5 * time.Second
	defaultGrace       = 10 * time.Second
	defaultWaiting     = 65_536
	defaultDepth       = 1000
)

// halfOpenCost is what a connection takes that has proved nothing: the stack of
// its goroutine, a buffer, and what the runtime and the handshakeLimiter know of it. Measured
// by TestTenThousandHalfOpen.
const halfOpenCost = 10 << 10

// unlimited is what a field without limit becomes.
const unlimited = 1<<31 - 1

func (l Limits) withDefaults() Limits {
	set := func(field *int, value int) {
		switch {
		case *field == 0:
			*field = value
		case *field < 0:
			*field = unlimited
		}
	}
	set(&l.Frame, defaultFrame)
	set(&l.Objects, defaultObjects)
	set(&l.Connections, defaultConnections)
	set(&l.Waiting, defaultWaiting)
	set(&l.Depth, defaultDepth)
	switch {
	case l.Handshake == 0:
		l.Handshake = defaultHandshake
	case l.Handshake < 0:
		l.Handshake = 100 * 365 * 24 * time.Hour
	}
	if l.Bytes == 0 {
		l.Bytes = budget.Default()
	}
	switch {
	case l.Grace == 0:
		l.Grace = defaultGrace
	case l.Grace < 0:
		l.Grace = 0
	}
	l.Bytes = max(l.Bytes, 0) // the store knows 0 as no limit
	halfOpen := defaultHalfOpen
	if l.Bytes > 0 {
		halfOpen = int(max(1, min(int64(halfOpen), l.Bytes/8/halfOpenCost)))
	}
	set(&l.HalfOpen, halfOpen)
	return l
}

func (o *Options) secret() endpoint.Secret {
	return endpoint.Secret{Key: o.Authkey, File: o.AuthkeyFile}
}

func (o *Options) log() *slog.Logger {
	if o.Log != nil {
		return o.Log
	}
	return slog.Default()
}

// LimitMemory makes Go's garbage collector keep this process near the limit of a
// server with these limits.
func LimitMemory(l Limits) {
	l = l.withDefaults()
	if l.Bytes == 0 {
		return
	}
	ceiling := budget.Ceiling(l.Bytes)
	if now := debug.SetMemoryLimit(-1); now == math.MaxInt64 || now > ceiling {
		debug.SetMemoryLimit(ceiling)
	}
}
