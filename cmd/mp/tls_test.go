package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"multiproc/manager"
)

// certificate makes a certificate that is its own authority, for both sides
// of a connection to 127.0.0.1.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	secret, err := x509.MarshalECPrivateKey(private)
	must(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600))
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
		if m, err := manager.Dial(t.Context(), address, manager.Options{TLS: c}); err == nil {
			t.Errorf("%s: connected", name)
			_ = m.Close()
		}
	}
}
