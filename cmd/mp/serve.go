package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"multiproc/manager"
)

// serve is the subcommand that runs a manager. Its fields are its flags.
type serve struct {
	Listen      string `required:"" placeholder:"ADDR" help:"host:port, [::1]:port, the path of a Unix socket, or @name for an abstract one. Port 0 is any that is free."`
	AuthkeyFile string `placeholder:"FILE" help:"The secret that clients must know. A file that is not there is made, with a fresh secret that only you may read. Default: $MP_AUTHKEY."`

	Object []object `placeholder:"NAME=TYPE" sep:"none" help:"Make a named object first: jobs=Queue:100, stock=dict, also list, set, Namespace, Event, Lock, Semaphore:3 and so on, with the arguments that the type has in Python. Python programs register the name as a type."`

	TLSCert string `placeholder:"FILE" help:"Certificate chain (PEM). Clients that use TLS only: CPython's managers do not."`
	TLSKey  string `placeholder:"FILE" help:"The certificate's private key (PEM)."`
	TLSCA   string `name:"tls-ca" placeholder:"FILE" help:"Clients must show a certificate that one of these authorities (PEM) has signed."`

	MaxConnections int           `placeholder:"N" help:"Clients at once (default: 10000)."`
	MaxObjects     int           `placeholder:"N" help:"Objects at once (default: 1000000)."`
	MaxMemory      byteCount     `placeholder:"BYTES" help:"What the clients together may make the server use, as 512MiB or 4GiB (default: half of the memory of the machine or its control group; -1: no limit)."`
	MaxFrame       int           `placeholder:"BYTES" help:"The largest message (default: 1 GiB)."`
	Grace          time.Duration `placeholder:"TIME" help:"How long a Go client whose connection has broken may take to connect again before its locks are released (default: 10s; negative: it may not)."`
	RefuseOpaque   bool          `help:"Refuse Python objects of classes that the manager does not know, instead of keeping them as they are."`
}

// Run serves until the context ends.
func (s *serve) Run(ctx context.Context, out io.Writer) error {
	o, err := s.options()
	if err != nil {
		return err
	}
	l, err := manager.Listen(s.Listen)
	if err != nil {
		return err
	}
	manager.LimitMemory(o.Limits)
	return manager.Serve(ctx, &announced{Listener: l, out: out, serve: s}, o)
}

// announced is a listener that says so as soon as it is accepted from: a server
// that refuses its options does not get so far.
type announced struct {
	net.Listener
	out   io.Writer
	serve *serve
	said  bool
}

// Accept waits for the next connection.
func (a *announced) Accept() (net.Conn, error) {
	if !a.said {
		address := manager.AddressOf(a.Listener)
		if _, err := fmt.Fprintf(a.out, "listening on %s\n%s", address, a.serve.welcome(address)); err != nil {
			return nil, err
		}
		a.said = true
	}
	return a.Listener.Accept()
}

// welcome says how to connect, in Go and in Python, for people to paste.
func (s *serve) welcome(address string) string {
	key, goKey := `os.environb[b"MP_AUTHKEY"]`, "manager.Options{}"
	if s.AuthkeyFile != "" {
		file := s.AuthkeyFile
		if abs, err := filepath.Abs(file); err == nil {
			file = abs
		}
		key = fmt.Sprintf(`open(%q, "rb").read().rstrip(b"\n")`, file)
		goKey = fmt.Sprintf("manager.Options{AuthkeyFile: %q}", file)
	}
	if s.TLSCert != "" {
		return fmt.Sprintf("Go:     m, err := manager.Dial(ctx, %q, %s) // and TLS in the Options\nPython: has no TLS for managers\n", address, goKey)
	}
	at := fmt.Sprintf("%q", address)
	if host, port, err := net.SplitHostPort(address); err == nil && !strings.ContainsAny(address[:1], "@/.") {
		at = fmt.Sprintf("(%q, %s)", host, port)
	} else if name, ok := strings.CutPrefix(address, "@"); ok {
		at = `"\0" ` + fmt.Sprintf("%q", name)
	}
	imports, register := []string{"SyncManager"}, ""
	for _, o := range s.Object {
		proxy := ""
		if p := proxies[o.Type]; p != "" {
			imports, proxy = append(imports, p), ", proxytype="+p
		}
		register += fmt.Sprintf("SyncManager.register(%q%s); ", o.Name, proxy)
	}
	slices.Sort(imports)
	return fmt.Sprintf("Go:     m, err := manager.Dial(ctx, %q, %s)\n", address, goKey) +
		fmt.Sprintf("Python: import os; from multiprocessing.managers import %s; %sm = SyncManager(%s, %s); m.connect()\n",
			strings.Join(slices.Compact(imports), ", "), register, at, key)
}

func (s *serve) options() (manager.Options, error) {
	o := manager.Options{
		Objects:      presets(s.Object),
		AuthkeyFile:  s.AuthkeyFile,
		RefuseOpaque: s.RefuseOpaque,
		Limits: manager.Limits{
			Connections: s.MaxConnections, Objects: s.MaxObjects, Bytes: int64(s.MaxMemory), Frame: s.MaxFrame, Grace: s.Grace,
		},
	}
	switch {
	case s.AuthkeyFile != "":
		if err := ensureKey(s.AuthkeyFile); err != nil {
			return o, err
		}
	case os.Getenv(manager.EnvAuthkey) == "":
		return o, fmt.Errorf("no key: nobody could connect; give --authkey-file (it is made if it is not there) or set %s", manager.EnvAuthkey)
	}
	var err error
	o.TLS, err = s.tls()
	return o, err
}

// ensureKey makes the file with a fresh key unless it is there already. The
// name appears with the whole key in it: others may be about to read it.
func ensureKey(name string) error {
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	_, err = fmt.Fprintln(f, hex.EncodeToString(key))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	switch err = os.Link(f.Name(), name); {
	case errors.Is(err, fs.ErrExist):
		return nil // another server was faster
	case err != nil: // not every file system has links
		return os.Rename(f.Name(), name)
	}
	return nil
}

// tls is nil if no certificate was given.
func (s *serve) tls() (*tls.Config, error) {
	if s.TLSCert == "" && s.TLSKey == "" && s.TLSCA == "" {
		return nil, nil
	}
	if s.TLSCert == "" || s.TLSKey == "" {
		return nil, errors.New("TLS needs both --tls-cert and --tls-key")
	}
	cert, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("the certificate %s with the key %s: %w", s.TLSCert, s.TLSKey, err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if s.TLSCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(s.TLSCA)
	if err != nil {
		return nil, err
	}
	c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", s.TLSCA)
	}
	return c, nil
}
