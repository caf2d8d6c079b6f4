package endpoint

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
)

// EnvAuthkey is the environment variable that holds the key of servers and
// clients that are given none.
const EnvAuthkey = "MP_AUTHKEY"

// ownKey is the key that this process has made for want of another.
var ownKey struct {
	sync.Mutex
	key []byte
}

// Authkey returns the key that servers of this process use which are given none:
// see manager.Authkey.
func Authkey() []byte {
	if s := os.Getenv(EnvAuthkey); s != "" {
		return []byte(s)
	}
	ownKey.Lock()
	defer ownKey.Unlock()
	if ownKey.key == nil {
		ownKey.key = RandomKey()
	}
	return bytes.Clone(ownKey.key)
}

// RandomKey makes a key that nobody knows.
func RandomKey() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return hex.AppendEncode(nil, secret)
}

// Secret says where a key comes from: Options.Authkey and Options.AuthkeyFile of
// package manager.
type Secret struct {
	Key  []byte
	File string
}

// Given finds the key that is given: nil, without an error, if none is.
func (s Secret) Given() ([]byte, error) {
	if s.Key != nil && len(s.Key) == 0 {
		return nil, errors.New("Options.Authkey is empty: nil stands for none")
	}
	if s.Key != nil {
		return bytes.Clone(s.Key), nil
	}
	if s.File != "" {
		b, err := os.ReadFile(s.File)
		if err != nil {
			return nil, fmt.Errorf("read the authkey: %w", err)
		}
		b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
		if len(b) == 0 {
			return nil, fmt.Errorf("the authkey file %s is empty", s.File)
		}
		return b, nil
	}
	return nil, nil
}

var errNoAuthkey = errors.New("no authkey: set Options.Authkey, Options.AuthkeyFile or $" + EnvAuthkey)

// OfClient is the key of a client, which cannot make one up.
func (s Secret) OfClient() ([]byte, error) {
	if key, err := s.Given(); err != nil || key != nil {
		return key, err
	}
	ownKey.Lock()
	made := ownKey.key != nil
	ownKey.Unlock()
	if !made && os.Getenv(EnvAuthkey) == "" {
		return nil, errNoAuthkey
	}
	return Authkey(), nil
}

// shortKey is the length of a key below which somebody may find it by trying,
// who has recorded one handshake.
const shortKey = 16

// Doubts says what is wrong with a server's key, if it can be used nevertheless.
func (s Secret) Doubts(key []byte) (all []string) {
	if len(key) < shortKey {
		all = append(all, fmt.Sprintf("the authkey has %d bytes: use %d or more that are random", len(key), shortKey))
	}
	if s.Key != nil || s.File == "" {
		return all
	}
	if info, err := os.Stat(s.File); err == nil && info.Mode().IsRegular() && info.Mode()&0o077 != 0 {
		all = append(all, fmt.Sprintf("the authkey file %s has mode %04o, so that others may read it: chmod 600", s.File, info.Mode().Perm()))
	}
	return all
}

// OfServer is the key of a server: that of the process if none is given.
func (s Secret) OfServer() ([]byte, error) {
	key, err := s.Given()
	if err == nil && key == nil {
		key = Authkey()
	}
	return key, err
}
