package endpoint

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestKeyOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvAuthkey, "from the environment")
	for _, c := range []struct {
		o    Secret
		want string
	}{
		{Secret{Key: []byte("given"), File: file}, "given"},
		{Secret{File: file}, "from the file"},
		{Secret{}, "from the environment"},
	} {
		for _, f := range []func(Secret) ([]byte, error){Secret.OfClient, Secret.OfServer} {
			if key, err := f(c.o); err != nil || string(key) != c.want {
				t.Errorf("key %q, %v, want %q", key, err, c.want)
			}
		}
	}
	if key := Authkey(); string(key) != "from the environment" {
		t.Errorf("the process has the key %q", key)
	}
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	for contents, want := range map[string]string{"a\n": "a", "a\r\n": "a", "a\n\n": "a\n", "a b": "a b", "\n": "", "": ""} {
		file := filepath.Join(dir, "key")
		if err := os.WriteFile(file, []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
		o := Secret{File: file}
		if key, err := o.OfServer(); string(key) != want || err == nil != (want != "") {
			t.Errorf("%q gave %q, %v", contents, key, err)
		}
	}
	o := Secret{File: filepath.Join(dir, "none")}
	if _, err := o.OfServer(); err == nil {
		t.Error("a file that is not there gave a key")
	}
}

// An empty key, which everybody knows, is no key, for anybody.
func TestEmptyKey(t *testing.T) {
	t.Setenv(EnvAuthkey, "from the environment")
	o := Secret{Key: []byte{}}
	for name, f := range map[string]func(Secret) ([]byte, error){"client": Secret.OfClient, "server": Secret.OfServer} {
		if key, err := f(o); err == nil {
			t.Errorf("a %s takes %q for a key", name, key)
		}
	}
}

// A server without a key makes one, which clients of the same process find.
func TestOwnKey(t *testing.T) {
	t.Setenv(EnvAuthkey, "")
	var o Secret
	ownKey.Lock()
	ownKey.key = nil
	ownKey.Unlock()
	if _, err := o.OfClient(); err == nil {
		t.Error("a client made up a key")
	}
	key, err := o.OfServer()
	if err != nil || len(key) != 64 {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
	again, err := o.OfClient()
	if err != nil || !bytes.Equal(key, again) || !bytes.Equal(key, Authkey()) {
		t.Error("the process has more than one key")
	}
}

var testKey = []byte("a key of the tests")

// A key that others may find is one to be warned of.
func TestDoubtfulKeys(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key")
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o644: 1, 0o640: 1} {
		if err := errors.Join(os.WriteFile(name, testKey, 0o600), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
		if got := (Secret{File: name}).Doubts(testKey); len(got) != want {
			t.Errorf("mode %o: %q", mode, got)
		}
	}
	if got := (Secret{Key: []byte("abcdef")}).Doubts([]byte("abcdef")); len(got) != 1 {
		t.Errorf("a short key: %q", got)
	}
}
