package client_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"multiproc/manager"
	"multiproc/manager/client"
	"multiproc/mp"
	"multiproc/mptest"
)

func TestMain(m *testing.M) { mptest.Main(m) }

var testKey = []byte("a key of the tests")

// serve starts a server that ends with the test, and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	l, err := manager.Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Serve(ctx, l, manager.Options{Authkey: testKey}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return manager.AddressOf(l)
}

// addOne is a task to which a handle comes.
var addOne = mp.Func(addOneTo, mp.Named("client.addOne"))

func addOneTo(ctx context.Context, d *mp.Dict[string, int]) (int, error) {
	n, err := d.Add(ctx, "n", 1)
	return n, errors.Join(err, d.Close())
}

// What Dial returns is a place for package mp and a *manager.Manager.
func TestDial(t *testing.T) {
	ctx := t.Context()
	c, err := client.Dial(ctx, serve(t), client.Options{Authkey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var m *manager.Manager = c
	d, err := mp.NewDict[string, int](mp.In(m), mp.WithName("d"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if n, err := d.Add(ctx, "n", 2); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := addOne.Run(ctx, d); n != 3 || err != nil {
		t.Errorf("in a child: %d, %v", n, err)
	}
	_, err = client.Dial(ctx, m.Address(), client.Options{Authkey: []byte("another")})
	if !errors.Is(err, mp.ErrAuth) {
		t.Errorf("another key: %v", err)
	}
}

// Methods of objects without a face in package mp are called by name.
func TestCall(t *testing.T) {
	ctx := t.Context()
	m, err := client.Dial(ctx, serve(t), client.Options{Authkey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	o, err := client.New(ctx, m, "list", []any{1})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := client.Call[mp.None](ctx, o, "append", 2); err != nil {
		t.Error(err)
	}
	if got, err := client.Call[[]int](ctx, o, "copy"); !slices.Equal(got, []int{1, 2}) || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	_, err = client.Call[mp.None](ctx, o, "remove", 7)
	var e *client.Error
	if !errors.As(err, &e) || e.Class != "builtins.ValueError" {
		t.Errorf("an error of Python is %v", err)
	}
	for _, err := range client.Iterate[int](ctx, o) {
		if err == nil {
			t.Error("a list is no iterator")
		}
	}
}

// The key is in nothing that is made of options.
func TestOptionsHideTheKey(t *testing.T) {
	o := client.Options{Authkey: testKey, AuthkeyFile: "/etc/key"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text := fmt.Sprintf(format, o) + fmt.Sprintf(format, &o)
		for _, form := range []string{"%s", "%x", "%v", "%q", "%#v"} {
			if strings.Contains(text, strings.Trim(fmt.Sprintf(form, testKey), "[]\"")) {
				t.Errorf("%s shows the key: %s", format, text)
			}
		}
	}
	b, err := json.Marshal(map[string]any{"options": o})
	if key := base64.StdEncoding.EncodeToString(testKey); err != nil || bytes.Contains(b, []byte(key)) {
		t.Errorf("%s, %v", b, err)
	}
}
