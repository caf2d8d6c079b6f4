package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"multiproc/internal/tlstest"
	"multiproc/manager"
)

// certificate is tlstest's, as two files.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	made, _ := tlstest.Certificate(t)
	secret, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	must(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate[0]}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return cert, key
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// With --tls-ca both sides show a certificate; who has none is refused.
func TestMutualTLS(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(manager.EnvAuthkey, "sesame")
	cert, key := certificate(t, dir)
	address, _ := serving(t, "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--tls-ca", cert)

	pair, err := tls.LoadX509KeyPair(cert, key)
	must(t, err)
	text, err := os.ReadFile(cert)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)

	m, err := manager.Dial(t.Context(), address, manager.Options{
		TLS: &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{pair}},
	})
	must(t, err)
	must(t, m.Close())
	for name, c := range map[string]*tls.Config{
		"no TLS":               nil,
		"no certificate":       {RootCAs: roots, ServerName: "localhost"},
		"an unknown authority": {ServerName: "localhost", Certificates: []tls.Certificate{pair}},
	} {
		// Without TLS both sides wait for the other's first word, as long as they are allowed.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if m, err := manager.Dial(ctx, address, manager.Options{TLS: c}); err == nil {
			t.Errorf("%s: connected", name)
			_ = m.Close()
		}
		cancel()
	}
}
