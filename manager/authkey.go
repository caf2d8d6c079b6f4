package manager

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

// Authkey returns the key that servers of this process use which are given
// none: $MP_AUTHKEY, or else 32 random bytes in hexadecimal digits, so that an
// environment can carry them, made once for the life of the process; clients in this process use it as well. It is like the authkey of
// Python's current_process(). Hand it to other processes on a private way
// only, such as the arguments of a task. The result is the caller's.
func Authkey() []byte {
	if s := os.Getenv(EnvAuthkey); s != "" {
		return []byte(s)
	}
	ownKey.Lock()
	defer ownKey.Unlock()
	if ownKey.key == nil {
		ownKey.key = randomKey()
	}
	return bytes.Clone(ownKey.key)
}

// randomKey makes a key that nobody knows.
func randomKey() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return hex.AppendEncode(nil, secret)
}

// key finds the key: nil, without an error, if none is given.
func (o *Options) key() ([]byte, error) {
	if o.Authkey != nil && len(o.Authkey) == 0 {
		return nil, errors.New("Options.Authkey is empty: nil stands for none")
	}
	if o.Authkey != nil {
		return bytes.Clone(o.Authkey), nil
	}
	if o.AuthkeyFile != "" {
		b, err := os.ReadFile(o.AuthkeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the authkey: %w", err)
		}
		b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
		if len(b) == 0 {
			return nil, fmt.Errorf("the authkey file %s is empty", o.AuthkeyFile)
		}
		return b, nil
	}
	return nil, nil
}

var errNoAuthkey = errors.New("no authkey: set Options.Authkey, Options.AuthkeyFile or $" + EnvAuthkey)

// clientKey is the key of a client, who cannot make one up.
func (o *Options) clientKey() ([]byte, error) {
	if key, err := o.key(); err != nil || key != nil {
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

// doubts says what is wrong with a server's key, if it can be used nevertheless.
func (o *Options) doubts(key []byte) (all []string) {
	if len(key) < shortKey {
		all = append(all, fmt.Sprintf("the authkey has %d bytes: use %d or more that are random", len(key), shortKey))
	}
	if o.Authkey != nil || o.AuthkeyFile == "" {
		return all
	}
	if info, err := os.Stat(o.AuthkeyFile); err == nil && info.Mode().IsRegular() && info.Mode()&0o077 != 0 {
		all = append(all, fmt.Sprintf("the authkey file %s has mode %04o, so that others may read it: chmod 600", o.AuthkeyFile, info.Mode().Perm()))
	}
	return all
}

// serverKey is the key of a server: that of the process if none is given.
func (o *Options) serverKey() ([]byte, error) {
	key, err := o.key()
	if err == nil && key == nil {
		key = Authkey()
	}
	return key, err
}
