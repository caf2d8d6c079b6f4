package pymp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"multiproc/internal/pyvalue"
)

// address is where a manager or a listener is, in one of three forms:
// "host:port", "/path" of a Unix socket, "@name" of an abstract one.
type address struct {
	network string // "tcp" or "unix"
	name    string // as package net wants it
}

func parseAddress(s string) (address, error) {
	switch {
	case s == "" || s == "@":
		return address{}, fmt.Errorf("address %q is empty: give host:port, /path or @name", s)
	case s[0] == '@', strings.Contains(s, "/"):
		return address{"unix", s}, nil
	}
	if _, port, err := net.SplitHostPort(s); err != nil {
		return address{}, fmt.Errorf("address %q is neither host:port, /path nor @name: %w", s, err)
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return address{}, fmt.Errorf("address %q has no number as its port: %w", s, err)
	}
	return address{"tcp", s}, nil
}

func (a address) String() string { return a.name }

// dial connects. While the queue of a Unix socket is full, of which CPython's
// listeners have one of 16 or less, the kernel refuses who does not wait in
// connect itself, as Go does not. So it waits here, until ctx ends.
func (a address) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	for pause := time.Millisecond; ; pause = min(2*pause, maxDialPause) {
		c, err := d.DialContext(ctx, a.network, a.name)
		if a.network != "unix" || !errors.Is(err, syscall.EAGAIN) {
			return c, err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, err
		}
	}
}

const maxDialPause = 20 * time.Millisecond

// python is the address as Python writes it: a tuple, a path, or bytes that
// begin with a zero.
func (a address) python() pyvalue.Value {
	if a.network == "unix" {
		if name, abstract := strings.CutPrefix(a.name, "@"); abstract {
			return append([]byte{0}, name...)
		}
		return a.name
	}
	host, port, _ := net.SplitHostPort(a.name)
	n, _ := strconv.ParseInt(port, 10, 64)
	return pyvalue.Tuple{host, n}
}

// fromPython is the address that Python wrote.
func fromPython(v pyvalue.Value) (address, error) {
	switch v := v.(type) {
	case string:
		if name, abstract := strings.CutPrefix(v, "\x00"); abstract {
			return address{"unix", "@" + name}, nil
		}
		if v != "" {
			return address{"unix", v}, nil
		}
	case []byte:
		if len(v) > 1 && v[0] == 0 {
			return address{"unix", "@" + string(v[1:])}, nil
		}
	case pyvalue.Tuple: // (host, port), and for IPv6 two numbers more
		if len(v) >= 2 {
			host, ok := v[0].(string)
			port, isInt := v[1].(int64)
			if ok && isInt && port >= 0 && port < 1<<16 {
				return address{"tcp", net.JoinHostPort(host, strconv.FormatInt(port, 10))}, nil
			}
		}
	}
	return address{}, fmt.Errorf("an address of an unknown form, %.100v", v)
}

// sees reports whether an address that a server wrote may mean the server that
// we reached at remote. A server that listens everywhere, or only on this
// machine, calls itself by a name that says so.
func (a address) sees(remote net.Addr) bool {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok || a.network != "tcp" {
		return false
	}
	host, port, err := net.SplitHostPort(a.name)
	if err != nil || port != strconv.Itoa(tcp.Port) {
		return false
	}
	if host == "" {
		return true
	}
	if host == "localhost" {
		return tcp.IP.IsLoopback()
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsUnspecified() || ip.Equal(tcp.IP) || ip.IsLoopback() && tcp.IP.IsLoopback())
}
