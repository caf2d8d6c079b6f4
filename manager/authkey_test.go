package manager

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
		o    Options
		want string
	}{
		{Options{Authkey: []byte("given"), AuthkeyFile: file}, "given"},
		{Options{AuthkeyFile: file}, "from the file"},
		{Options{}, "from the environment"},
	} {
		for _, f := range []func(*Options) ([]byte, error){(*Options).clientKey, (*Options).serverKey} {
			if key, err := f(&c.o); err != nil || string(key) != c.want {
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
		o := Options{AuthkeyFile: file}
		if key, err := o.serverKey(); string(key) != want || err == nil != (want != "") {
			t.Errorf("%q gave %q, %v", contents, key, err)
		}
	}
	o := Options{AuthkeyFile: filepath.Join(dir, "none")}
	if _, err := o.serverKey(); err == nil {
		t.Error("a file that is not there gave a key")
	}
}

// An empty key, which everybody knows, is no key, for anybody.
func TestEmptyKey(t *testing.T) {
	t.Setenv(EnvAuthkey, "from the environment")
	o := Options{Authkey: []byte{}}
	for name, f := range map[string]func(*Options) ([]byte, error){"client": (*Options).clientKey, "server": (*Options).serverKey} {
		if key, err := f(&o); err == nil {
			t.Errorf("a %s takes %q for a key", name, key)
		}
	}
}

// A server without a key makes one, which clients of the same process find.
func TestOwnKey(t *testing.T) {
	t.Setenv(EnvAuthkey, "")
	var o Options
	ownKey.Lock()
	ownKey.key = nil
	ownKey.Unlock()
	if _, err := o.clientKey(); err == nil {
		t.Error("a client made up a key")
	}
	key, err := o.serverKey()
	if err != nil || len(key) != 64 {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
	again, err := o.clientKey()
	if err != nil || !bytes.Equal(key, again) || !bytes.Equal(key, Authkey()) {
		t.Error("the process has more than one key")
	}
}

// A key that others may find is one to be warned of.
func TestDoubtfulKeys(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key")
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o644: 1, 0o640: 1} {
		if err := errors.Join(os.WriteFile(name, testKey, 0o600), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
		if got := (&Options{AuthkeyFile: name}).doubts(testKey); len(got) != want {
			t.Errorf("mode %o: %q", mode, got)
		}
	}
	if got := (&Options{Authkey: []byte("abcdef")}).doubts([]byte("abcdef")); len(got) != 1 {
		t.Errorf("a short key: %q", got)
	}
}
